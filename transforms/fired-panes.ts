// SPDX-License-Identifier: Apache-2.0
/**
 * The memory of the dedup step on a worker of a cluster, so that a minute that fires again takes in its new blocks
 * alone. The runner keeps the blocks; what is kept here may be forgotten at any time.
 */
import { openBlock } from "../domain/columns/event-block";
import { Pane } from "../domain/columns/pane";
import { toBytes } from "../engine";
import type { BlockElement } from "./elements";
import { hashSeed } from "./hash-seed";

interface FiredPane {
  pane: Pane;
  /** The blocks whose events are in the pane, and no other events are. */
  blocks: ReadonlySet<string>;
  bytes: number;
}

/** The approximate bytes of a block's id in a set. */
const BLOCK_ID_BYTES = 100;

/** Returns the pane of these blocks' events and nothing else, made anew. */
export function paneOf(blocks: Iterable<BlockElement>): Pane {
  return withBlocks(new Pane(hashSeed), blocks);
}

function withBlocks(pane: Pane, blocks: Iterable<BlockElement>): Pane {
  for (const { block } of blocks) pane.addBlock(openBlock(toBytes(block)));
  return pane;
}

/**
 * Panes that fired, by minute and partition, with the ids of their blocks. A pane is continued only where the window
 * holds every block that is in it. A job that went back to a checkpoint decodes messages again, into blocks with other
 * ids; the pane is then made anew. Bounded: the panes that fired longest ago are forgotten.
 */
export class FiredPanes {
  private readonly panes = new Map<string, FiredPane>();
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  /** Returns the pane of all blocks that a firing of the window holds. */
  paneOf(minute: number, partition: number, blocks: readonly BlockElement[]): Pane {
    const key = `${minute} ${partition}`;
    const kept = this.take(key);
    const ids = new Set<string>();
    for (const { id } of blocks) if (id !== undefined) ids.add(id);
    // A block of an earlier release has no id, and a block that is there twice counts twice.
    if (ids.size !== blocks.length) return paneOf(blocks);
    const continues = kept?.blocks.isSubsetOf(ids) === true;
    const pane = continues
      ? withBlocks(
          kept.pane,
          blocks.filter(({ id }) => !kept.blocks.has(id!)),
        )
      : paneOf(blocks);
    this.keep(key, pane, ids);
    return pane;
  }

  /** Takes the pane out: what fails while it grows leaves none behind. */
  private take(key: string): FiredPane | undefined {
    const kept = this.panes.get(key);
    if (kept === undefined) return undefined;
    this.panes.delete(key);
    this.bytes -= kept.bytes;
    return kept;
  }

  private keep(key: string, pane: Pane, blocks: ReadonlySet<string>): void {
    const { videos, types, sizeBytes } = pane;
    const bytes = sizeBytes + videos.sizeBytes + types.sizeBytes + blocks.size * BLOCK_ID_BYTES;
    this.panes.set(key, { pane, blocks, bytes });
    this.bytes += bytes;
    for (const oldest of this.panes.keys()) {
      if (this.bytes <= this.maxBytes) return;
      this.take(oldest);
    }
  }

  get size(): { panes: number; bytes: number } {
    return { panes: this.panes.size, bytes: this.bytes };
  }
}
