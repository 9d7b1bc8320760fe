// SPDX-License-Identifier: Apache-2.0
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KV, toBytes } from "../../engine";
import type { IdBlock } from "../../transforms/audit-elements";
import { type ReusedIds, reusedIn } from "../../transforms/find-reused-ids";

/** The bytes of ids held in memory. Further ids go to files, one for each partition. */
const MAX_HELD_BYTES = 64 << 20;
const HEADER_BYTES = 12;

/**
 * The ids of a whole range on one machine, as hashes, by partition: in memory while they are few and in temporary files
 * beyond. The search for reused ids reads one partition at a time. The audit in one process (audit-runner.ts) keeps
 * them; on a cluster a shuffle does it.
 */
export class KeptIds {
  private held: IdBlock[][];
  private heldBytes = 0;
  private folder: string | undefined;

  constructor(
    private readonly partitions: number,
    private readonly maxHeldBytes = MAX_HELD_BYTES,
  ) {
    this.held = this.empty();
  }

  add(blocks: Iterable<KV<string, IdBlock>>): void {
    for (const { key, value } of blocks) {
      const hashes = toBytes(value.hashes);
      this.held[Number(key)]!.push({ minute: value.minute, hashes });
      this.heldBytes += hashes.length;
      if (this.heldBytes > this.maxHeldBytes) this.spill();
    }
  }

  reused(): Omit<ReusedIds, "key">[] {
    return this.held.map((blocks, partition) => reusedIn([...this.spilled(partition), ...blocks]));
  }

  forget(): void {
    this.held = this.empty();
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
    this.folder = undefined;
  }

  private spill(): void {
    this.folder ??= mkdtempSync(join(tmpdir(), "viewmill-audit-ids-"));
    for (const [partition, blocks] of this.held.entries()) {
      const bytes = blocks.flatMap(({ minute, hashes }) => [header(minute, hashes.length), hashes]);
      if (bytes.length > 0) appendFileSync(this.file(partition), Buffer.concat(bytes));
    }
    this.held = this.empty();
    this.heldBytes = 0;
  }

  private *spilled(partition: number): Generator<IdBlock> {
    if (this.folder === undefined || !existsSync(this.file(partition))) return;
    const bytes = readFileSync(this.file(partition));
    for (let at = 0; at < bytes.length; ) {
      const minute = bytes.readDoubleLE(at);
      const size = bytes.readUInt32LE(at + 8);
      at += HEADER_BYTES;
      yield { minute, hashes: bytes.subarray(at, at + size) };
      at += size;
    }
  }

  private file(partition: number): string {
    return join(this.folder ?? "", `${partition}.ids`);
  }

  private empty(): IdBlock[][] {
    return Array.from({ length: this.partitions }, () => []);
  }
}

function header(minute: number, size: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeDoubleLE(minute, 0);
  bytes.writeUInt32LE(size, 8);
  return bytes;
}
