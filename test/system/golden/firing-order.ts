// SPDX-License-Identifier: Apache-2.0
/**
 * A graph that writes down when elements arrive and when minutes fire, one line each, in the order in which a runner
 * does it. The suite of the golden scripts on Prism proves by it that watermarks fire minutes, and not the job's end.
 */
import { appendFileSync } from "node:fs";
import {
  type DoFn,
  fixedWindows,
  groupByKey,
  type KV,
  parDo,
  type Root,
  register,
  streamingWindows,
  toBytes,
  windowInto,
  withName,
} from "../../../engine";
import { type TestStreamEvent, testStream } from "./test-stream";

const MINUTE_MS = 60_000;

export class Arrived implements DoFn<Uint8Array, KV<string, string>> {
  constructor(readonly file: string) {}

  *process(element: Uint8Array): Iterable<KV<string, string>> {
    const value = Buffer.from(toBytes(element)).toString();
    appendFileSync(this.file, `${value} arrived\n`);
    yield { key: "one", value };
  }
}

export class Fired implements DoFn<KV<string, Iterable<string>>, never> {
  constructor(readonly file: string) {}

  process({ value }: KV<string, Iterable<string>>): void {
    appendFileSync(this.file, `${[...value].sort().join(" and ")} fired\n`);
  }
}

/** Builds the graph over minutes of event time. The workers append to `file`. */
export const firingOrder = (events: readonly TestStreamEvent[], file: string) => (root: Root) => {
  const windows = streamingWindows({ earlyFiringMs: 0, lateFiringMs: 0, allowedLatenessMs: 0, accumulating: false });
  testStream(root, "TestStream", events)
    .apply(withName("arrived", parDo(new Arrived(file))))
    .apply(withName("windows", windowInto(fixedWindows({ sizeMs: MINUTE_MS }), windows)))
    .apply(withName("group", groupByKey<string, string>()))
    .apply(withName("fired", parDo(new Fired(file))));
};

register(module);
