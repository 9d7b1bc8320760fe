// SPDX-License-Identifier: Apache-2.0
/**
 * The memory and files of a service and its children at a moment, from /proc, and the size of its data folder. The soak
 * takes one every so often.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { treeOf, usageOf } from "../flink/process-usage";

export interface Sample {
  atS: number;
  processes: number;
  /** The values of the service's own process. */
  serviceMiB: number;
  /** The values of every process of the service. */
  memoryMiB: number;
  threads: number;
  /** Open descriptors of every kind. */
  handles: number;
  /** The descriptors that are sockets. */
  connections: number;
  /** Files of the data folder outside the archive and the roll-ups, which grow with the time. */
  files: number;
  /** All files of the data folder. */
  filesInAll: number;
  dataMiB: number;
}

/** Folders that hold the events themselves. */
const GROWING = new Set(["archive", "rollups"]);
const MEBI = 1 << 20;

export function sampleOf(pid: number, folder: string, atS: number): Sample {
  const sample = { atS, processes: 0, serviceMiB: 0, memoryMiB: 0, threads: 0, handles: 0, connections: 0 };
  for (const each of treeOf(pid)) {
    const usage = usageOf(each);
    if (usage === undefined) continue;
    sample.processes++;
    sample.memoryMiB += usage.rssBytes / MEBI;
    if (each === pid) sample.serviceMiB = usage.rssBytes / MEBI;
    const links = linksOf(each);
    sample.handles += links.length;
    sample.connections += links.filter((link) => link.startsWith("socket:")).length;
    sample.threads += Number(/^Threads:\s+(\d+)$/m.exec(textOf(`/proc/${each}/status`))?.[1] ?? 0);
  }
  return { ...sample, ...filesIn(folder) };
}

/** A process may end while it is looked at. */
function linksOf(pid: number): string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(join(folder, name))];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function filesIn(folder: string): Pick<Sample, "files" | "filesInAll" | "dataMiB"> {
  const found = { files: 0, filesInAll: 0, dataMiB: 0 };
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const name of entries) {
    const stats = statSync(join(folder, name), { throwIfNoEntry: false });
    if (stats?.isFile() !== true) continue;
    found.filesInAll++;
    found.dataMiB += stats.size / MEBI;
    if (!GROWING.has(name.split("/")[0]!)) found.files++;
  }
  return found;
}

/** The slope of a straight line through the points, least squares: units of y a unit of x. */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0);
  const under = points.reduce((sum, [px]) => sum + (px - x) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
