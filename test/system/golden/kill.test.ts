// SPDX-License-Identifier: Apache-2.0
/**
 * A pass that dies at any step, then the next one: nothing lost, nothing twice. Real adapters, wrapped to fail once.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptiedStores } from "../../io/sqlite/emptied-stores";
import { type EmbeddedOptions, EmbeddedStream, openStores, type Stores } from "./embedded-runner";
import { expectOutcome } from "./outcome";
import { type GoldenScript, goldenScripts } from "./script";

// Of log and dead letters each has a thread to start; hundreds of scripts are played.
const shared = emptiedStores();
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-kill-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

type PortName = "archive" | "counters" | "ledger" | "deadLetters";

interface Fault {
  port: PortName;
  method: string;
  /** The call fails with nothing done, or after it has done its work and before the caller knows. */
  when: "before" | "after";
}

const steps: [PortName, string][] = [
  ["ledger", "setPending"],
  ["archive", "write"],
  ["deadLetters", "append"],
  ["ledger", "archivedObjects"],
  ["archive", "list"],
  ["archive", "read"],
  ["counters", "apply"],
  ["ledger", "writeRows"],
  ["ledger", "completePass"],
  ["ledger", "deferred"],
  ["ledger", "completeSlice"],
];
const faults: Fault[] = steps.flatMap(([port, method]) =>
  (["before", "after"] as const).map((when) => ({ port, method, when })),
);

class Killed extends Error {
  override readonly name = "Killed";
}

/** The stores, of which the `nth` call of the fault's method fails. */
class FailingOnce {
  fired = false;
  private calls = 0;

  constructor(
    private readonly fault: Fault,
    private readonly nth: number,
  ) {}

  wrap(stores: Stores): Stores {
    const { port } = this.fault;
    return { ...stores, [port]: new Proxy(stores[port], { get: (target, name) => this.member(target, name) }) };
  }

  private member(target: object, name: string | symbol): unknown {
    const member = Reflect.get(target, name, target) as unknown;
    if (typeof member !== "function") return member;
    return async (...args: unknown[]) => {
      const fails = name === this.fault.method && !this.fired && ++this.calls === this.nth;
      if (fails) this.fired = true;
      if (fails && this.fault.when === "before") throw new Killed("before");
      const result: unknown = await Reflect.apply(member, target, args);
      if (fails) throw new Killed("after");
      return result;
    };
  }
}

/** Plays the script; a pass that is killed is made again, by the same process or by a new one. */
async function playThrough(script: GoldenScript, stores: Stores, options: EmbeddedOptions, kill: Kill) {
  const { fault, nth, restart } = kill;
  const failing = new FailingOnce(fault, nth);
  const around = (all: Stores) => failing.wrap(all);
  let stream = new EmbeddedStream(stores, options, script.allowedLatenessMs, around);
  let killed = 0;
  const pass = async (): Promise<boolean> => {
    try {
      return ((await stream.pass()) ?? (await stream.slice())) !== undefined;
    } catch (error) {
      if (!`${(error as Error).name} ${((error as Error).cause as Error)?.name}`.includes("Killed")) throw error;
      killed++;
      if (restart) stream = new EmbeddedStream(stores, options, script.allowedLatenessMs, around);
      return true;
    }
  };
  for (const step of script.steps) {
    if (step.kind === "away" || step.kind === "back") throw new Error("a script with a stream that is away");
    if (step.kind === "pass") await pass();
    else await stream.send(step);
  }
  while (await pass());
  return { stream, killed, fired: failing.fired };
}

interface Kill {
  fault: Fault;
  nth: number;
  restart: boolean;
}

/** The failing call and its script: the call must concern new minutes, kept ones, late events and dead letters. */
const hits: [name: string, nth: number][] = [
  ["duplicates", 1],
  ["duplicates", 2],
  ["undecodable", 1],
  ["undecodable", 2],
  ["reused-ids", 2],
  ["lateness-rule", 2],
  ["boundaries", 1],
  ["boundaries", 2],
];
const scripts = new Map(goldenScripts().map((script) => [script.name, script]));
const spreads: EmbeddedOptions[] = [
  { dedupePartitions: 1, videoShards: 1, keepPanes: true },
  { dedupePartitions: 4, videoShards: 3, keepPanes: false },
];
/** Scripts with several minutes in a range, the rest of which is counted in slices. */
const sliced: EmbeddedOptions = { dedupePartitions: 1, videoShards: 1, keepPanes: true, maxMinutes: 1 };

describe.each(faults.map((fault) => [`${fault.port}.${fault.method} fails ${fault.when} it is done`, fault] as const))(
  "%s",
  (_name, fault) => {
    test.each([
      ["the next pass of the same process", false],
      ["a new process", true],
    ])("%s leaves the same cells and books", async (_what, restart) => {
      let fired = 0;
      for (const [index, [name, nth]] of hits.entries()) {
        const script = scripts.get(name)!;
        const stores = await openStores(join(folder, String(index)), await shared());
        try {
          const run = await playThrough(script, stores, name === "boundaries" ? sliced : spreads[index % 2]!, {
            fault,
            nth,
            restart,
          });
          expect(run.killed).toBe(run.fired ? 1 : 0);
          fired += run.killed;
          const outcome = await run.stream.outcome();
          // A letter may be written again: a replay of both counts once, because the event keeps its id.
          const once = (all: string[]) => (run.killed === 0 ? all : [...new Set(all)]);
          const expected = { ...script, deadLetters: once(script.deadLetters) };
          expectOutcome(expected, { ...outcome, deadLetters: once(outcome.deadLetters) });
        } finally {
          await stores.close();
        }
      }
      // A fault that no script reaches proves nothing.
      expect(fired).toBeGreaterThan(0);
    });
  },
);
