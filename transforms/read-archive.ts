// SPDX-License-Identifier: Apache-2.0
import {
  type AwaitableDoFn,
  awaitableParDo,
  groupByKey,
  type KV,
  type PCollection,
  register,
  resource,
  withName,
} from "../engine";
import type { Archive } from "../io/ports";
import type { ArchiveMessage, ArchiveName } from "./elements";
import { RESOURCES } from "./resource-names";

const READS_IN_FLIGHT = 4;

/**
 * Reads archive objects in parallel. In: names. Out: messages with the object's bytes. Rejects: none here (an
 * unreadable object fails the bundle; DecodeBatches finds a damaged one). Windowing: as given. Replay: reads the same
 * bytes again. Bounded runs and the embedded stream begin with this step.
 */
export function readArchive(names: PCollection<ArchiveName>): PCollection<ArchiveMessage> {
  return names
    .map(withName("KeyByObject", keyByObject))
    .apply(withName("SpreadObjects", groupByKey<string, ArchiveName>()))
    .apply(awaitableParDo("ReadArchive", new ReadArchive(RESOURCES.archive), { maxInFlight: READS_IN_FLIGHT }));
}

export const keyByObject = (object: ArchiveName): KV<string, ArchiveName> => ({ key: object.name, value: object });

export class ReadArchive implements AwaitableDoFn<KV<string, Iterable<ArchiveName>>, ArchiveMessage> {
  constructor(readonly archiveResource: string) {}

  async process({ value }: KV<string, Iterable<ArchiveName>>): Promise<ArchiveMessage[]> {
    const [object] = value;
    if (object === undefined) return [];
    const content = await resource<Archive>(this.archiveResource).read(object.name);
    return [{ kind: "archive", ...object, content }];
  }
}

register(module);
