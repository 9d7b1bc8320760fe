// SPDX-License-Identifier: Apache-2.0
import { ByteTable } from "./byte-table";
import type { Texts } from "./cell-columns";

/**
 * The names of an hour's videos, numbered: minutes have nearly the same videos, and each name is read once as text and
 * once as bytes for the whole hour. The comparison of an hour (compare-hours.ts) has one.
 */
export class HourNames {
  private readonly table: ByteTable;
  private readonly numbers = new Map<string, number>();
  private readonly texts: (string | undefined)[] = [];

  /** `seed` is unknown to clients. */
  constructor(seed: number) {
    this.table = new ByteTable(seed);
  }

  get size(): number {
    return this.table.size;
  }

  numberOf(text: string): number {
    let number = this.numbers.get(text);
    if (number === undefined) {
      const bytes = Buffer.from(text, "utf8");
      number = this.table.numberOf(bytes, 0, bytes.length);
      this.numbers.set(text, number);
      this.texts[number] = text;
    }
    return number;
  }

  numbersOf({ bytes, ends }: Texts): Uint32Array {
    const numbers = new Uint32Array(ends.length);
    for (let i = 0, from = 0; i < ends.length; i++) {
      numbers[i] = this.table.numberOf(bytes, from, ends[i]!);
      from = ends[i]!;
    }
    return numbers;
  }

  *all(): Generator<string> {
    for (let number = 0; number < this.size; number++) yield this.texts[number] ?? this.table.text(number);
  }
}
