// SPDX-License-Identifier: Apache-2.0
/**
 * The archive of raw events, as objects of a minute of event time. Archivers and the stream write, audits and backfills
 * read, tiering packs and removes; io/directory/ and io/gcs/ implement the port.
 */
export interface ArchiveObject {
  /** `date=2026-11-21/hour=10/minute=03/<writer>-<sequence>.avro`, unique in the archive. */
  name: string;
  minute: number;
  sizeBytes: number;
  /** When the object was written, where the archive knows. */
  writtenAtMs?: number;
}

export interface Archive {
  /** Writes an object atomically and durably; writing the same name again replaces it whole. */
  write(minute: number, fileName: string, content: Uint8Array): Promise<ArchiveObject>;
  /** Returns the objects whose minute of event time is in [fromMinute, toMinute), by minute, then name. */
  list(fromMinute: number, toMinute: number): Promise<ArchiveObject[]>;
  read(name: string): Promise<Uint8Array>;
  /** Returns the minutes with objects in [fromMinute, toMinute), ascending. */
  minutes(fromMinute: number, toMinute: number): Promise<number[]>;
  /** Removes objects that are past the raw retention; missing ones are skipped. */
  remove(names: readonly string[]): Promise<void>;
  /** Absent where the archive keeps each object by itself. */
  readonly packing?: ArchivePacking;
}

/**
 * Puts the objects of an hour into one file. Which objects there are, their names and their content stay as they are
 * for everybody who lists or reads. One process at a time packs or removes.
 */
export interface ArchivePacking {
  /** Hours before this one with objects outside of their pack, ascending. */
  looseHours(beforeHour: number): Promise<number[]>;
  /** Resolves with how many objects went into the pack of the hour. Durable; a process that dies loses none. */
  pack(hour: number): Promise<number>;
  /** Removes what writers that died before this time left half written. */
  clearStaged(beforeMs: number): Promise<void>;
}
