// SPDX-License-Identifier: Apache-2.0
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
}
