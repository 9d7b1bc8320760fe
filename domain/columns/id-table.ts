// SPDX-License-Identifier: Apache-2.0
/** The set of distinct events inside a pane: the ids of its events, in tables that a lookup finds in the cache. */
import { grown } from "./name-table";

/** Words of an entry: the id's four and its cell. */
export const ENTRY_WORDS = 5;
/** Entries divided by slots: above this load, look-ups of a partition collide too often. */
const SLOT_LOAD = 0.6;
const FIRST_ENTRIES = 16;

/** A seeded hash of 128-bit ids. The seed is needed because clients choose the ids. */
export class IdHash {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly ma: number;
  readonly mb: number;
  readonly mc: number;
  readonly md: number;

  /** `seed` has eight random words. */
  constructor(seed: Uint32Array) {
    this.a = seed[0]! | 0;
    this.b = seed[1]! | 0;
    this.c = seed[2]! | 0;
    this.d = seed[3]! | 0;
    this.ma = seed[4]! | 1;
    this.mb = seed[5]! | 1;
    this.mc = seed[6]! | 1;
    this.md = seed[7]! | 1;
  }

  of(a: number, b: number, c: number, d: number): number {
    let h = Math.imul(a ^ this.a, this.ma);
    h = Math.imul((h ^ (h >>> 15)) + (b ^ this.b), this.mb);
    h = Math.imul((h ^ (h >>> 13)) + (c ^ this.c), this.mc);
    h = Math.imul((h ^ (h >>> 16)) + (d ^ this.d), this.md);
    return h ^ (h >>> 15);
  }
}

/** A set of events, each an id and its cell: an open-addressing table over typed arrays. Ids are compared whole. */
export class IdTable {
  size = 0;
  /** ENTRY_WORDS words an entry. */
  entries = new Uint32Array(FIRST_ENTRIES * ENTRY_WORDS);
  /** The entry's number + 1; 0 marks a free slot. */
  slots = new Int32Array(FIRST_ENTRIES * 2);
  /** The value of each entry; NaN where the event has no value. The column is absent where no event has a value. */
  values: Float64Array | undefined;

  constructor(private readonly hash: IdHash) {}

  get sizeBytes(): number {
    return this.entries.byteLength + this.slots.byteLength + (this.values?.byteLength ?? 0);
  }

  /** Makes room for `more` entries. */
  reserve(more: number): void {
    const needed = this.size + more;
    let capacity = this.entries.length / ENTRY_WORDS;
    if (needed > capacity) {
      // The capacity grows by half: a table that doubles would hold twice its ids while it is copied.
      capacity = Math.max(needed, Math.ceil(capacity * 1.5));
      this.entries = grown(this.entries, new Uint32Array(capacity * ENTRY_WORDS));
      if (this.values !== undefined) this.values = grown(this.values, new Float64Array(capacity).fill(Number.NaN));
    }
    let slots = this.slots.length;
    while (needed > slots * SLOT_LOAD) slots *= 2;
    if (slots !== this.slots.length) this.place(slots);
  }

  /** Appends an entry that is not in the table, with its value (NaN: no value). The caller has made room. */
  append(entry: Uint32Array, value: number): void {
    const { slots, hash } = this;
    const mask = slots.length - 1;
    let slot = hash.of(entry[0]!, entry[1]!, entry[2]!, entry[3]!) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    this.entries.set(entry, this.size * ENTRY_WORDS);
    if (!Number.isNaN(value)) this.valueColumn()[this.size] = value;
    slots[slot] = ++this.size;
  }

  valueColumn(): Float64Array {
    this.values ??= new Float64Array(this.entries.length / ENTRY_WORDS).fill(Number.NaN);
    return this.values;
  }

  private place(count: number): void {
    const { entries, hash, size } = this;
    const slots = new Int32Array(count);
    const mask = count - 1;
    for (let entry = 0, at = 0; entry < size; entry++, at += ENTRY_WORDS) {
      let slot = hash.of(entries[at]!, entries[at + 1]!, entries[at + 2]!, entries[at + 3]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = entry + 1;
    }
    this.slots = slots;
  }

  /** The steps beyond the first that a look-up of each entry takes, added up. */
  get detours(): number {
    const { slots, entries, hash } = this;
    const mask = slots.length - 1;
    let steps = 0;
    for (let slot = 0; slot < slots.length; slot++) {
      if (slots[slot] === 0) continue;
      const at = (slots[slot]! - 1) * ENTRY_WORDS;
      steps += (slot - hash.of(entries[at]!, entries[at + 1]!, entries[at + 2]!, entries[at + 3]!)) & mask;
    }
    return steps;
  }
}
