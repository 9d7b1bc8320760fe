// SPDX-License-Identifier: Apache-2.0
/**
 * The CPU time and memory of processes and all their children, from Linux's /proc. The Flink measurements and the soak
 * read it.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessUsage {
  /** User and system time, with that of children that have ended and been waited for. Seconds. */
  cpuS: number;
  rssBytes: number;
  /** Largest resident set so far (VmHWM). */
  peakRssBytes: number;
}

/** Ticks a second of the times in /proc (USER_HZ): 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;
/** Places in /proc/PID/stat behind the command, counted from the state (proc_pid_stat(5), fields 3, 4 and 14 to 17). */
const PARENT = 1;
const TIMES_FROM = 11;
const TIMES_TO = 15;

interface Stat {
  parent: number;
  cpuS: number;
}

/** undefined: the process is gone. */
function statOf(pid: number): Stat | undefined {
  const text = fileOf(pid, "stat");
  if (text === undefined) return undefined;
  // The command may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(TIMES_FROM, TIMES_TO).reduce((sum, field) => sum + Number(field), 0);
  return { parent: Number(fields[PARENT]), cpuS: ticks / TICKS_A_SECOND };
}

function fileOf(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}

/** Returns the usage of one process alone; undefined when it is gone. */
export function usageOf(pid: number): ProcessUsage | undefined {
  const stat = statOf(pid);
  const status = fileOf(pid, "status");
  if (stat === undefined || status === undefined) return undefined;
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
  return { cpuS: stat.cpuS, rssBytes: kibibytes("VmRSS") * 1024, peakRssBytes: kibibytes("VmHWM") * 1024 };
}

/** The process and its descendants that run now. */
export function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? statOf(pid)?.parent : undefined;
    if (parent === undefined) continue;
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree: number[] = [];
  for (const waiting = [root]; waiting.length > 0; ) {
    const pid = waiting.pop()!;
    tree.push(pid);
    waiting.push(...(children.get(pid) ?? []));
  }
  return tree;
}

/** Processes by name, each with what it started: what they used since this was made. */
export class UsageSince {
  readonly #atStart: number;

  /** `roots`: named process ids; looked up again at each question, as a process may be replaced. */
  constructor(private readonly roots: () => Record<string, number | undefined>) {
    this.#atStart = this.totalCpuS();
  }

  /** CPU-seconds of all of them since the start. A process that was killed takes its times with it. */
  cpuS(): number {
    return this.totalCpuS() - this.#atStart;
  }

  private totalCpuS(): number {
    return Object.values(this.now()).reduce((sum, { cpuS }) => sum + cpuS, 0);
  }

  /** Each process that runs now; those that a named one started are `name/PID`. */
  now(): Record<string, ProcessUsage> {
    const used: Record<string, ProcessUsage> = {};
    for (const [name, root] of Object.entries(this.roots())) {
      if (root === undefined) continue;
      for (const pid of treeOf(root)) {
        const usage = usageOf(pid);
        if (usage !== undefined) used[pid === root ? name : `${name}/${pid}`] = usage;
      }
    }
    return used;
  }
}
