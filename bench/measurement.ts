// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { type DataParameters, writeData } from "./data/data-files";
import type { BenchParameters } from "./parameters";
import type { Figure } from "./report";
import { runTask, type Task, type TaskUsage } from "./task";

/** One thing that is measured; its tasks run in processes of their own, one after the other. */
export interface Measurement {
  name: string;
  title: string;
  /** Takes long, or needs servers: only when asked for by its name. */
  onlyByName?: boolean;
  run(bench: Bench): Promise<{ figures: Figure[]; facts?: Record<string, unknown> }>;
}

/**
 * The input of a measurement: the parameters, a folder that is removed afterwards, and the data that all measurements
 * share.
 */
export class Bench {
  private readonly files = new Map<string, Promise<string>>();
  private folders = 0;
  private profiles = 0;

  constructor(
    readonly parameters: BenchParameters,
    /** Temporary, removed at the end. */
    readonly folder: string,
    /** The folder for each task's CPU profile; undefined: no profile is made. */
    readonly profileFolder?: string,
  ) {}

  /** A name for a folder of its own. */
  newFolder(): string {
    return join(this.folder, `data-${this.folders++}`);
  }

  task<Parameters, Result>(
    task: Task<Parameters, Result>,
    parameters: Parameters,
  ): Promise<{ result: Result; usage: TaskUsage }> {
    const flags = [
      "--cpu-prof",
      `--cpu-prof-dir=${this.profileFolder}`,
      `--cpu-prof-name=${this.profiles++}-${task.name}.cpuprofile`,
    ];
    return runTask(task, parameters, this.profileFolder === undefined ? [] : flags);
  }

  /** The events every computing measurement counts. */
  get data(): DataParameters {
    const { events, videos, minutes, repeatShare, valueShare, batchEvents, seed } = this.parameters;
    return {
      events,
      videos,
      minutes,
      repeatShare,
      valueShare,
      batchEvents,
      seed,
      spread: "zipf",
      startMs: DATA_START_MS,
    };
  }

  /** The file of these events, made once: columnar batches as frames, or NDJSON. */
  file(format: "frames" | "ndjson" | "gzip-json", data: DataParameters = this.data): Promise<string> {
    const key = JSON.stringify([format, data]);
    let file = this.files.get(key);
    if (file === undefined) {
      const path = join(this.folder, `events-${this.files.size}.${format}`);
      file = runTask(writeData, { path, format, data }).then(() => path);
      this.files.set(key, file);
    }
    return file;
  }
}

/** A whole minute, 2026-11-21T10:00:00Z: the same data in every run. */
const DATA_START_MS = Date.UTC(2026, 10, 21, 10);
