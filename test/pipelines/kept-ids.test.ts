// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { KeptIds } from "../../pipelines/audit/kept-ids";

const PARTITIONS = 3;
const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("viewmill-audit-ids-")).length;

/** Each id is its own hash. */
const blockOf = (minute: number, partition: number, ids: readonly number[]) => {
  const words = Uint32Array.from(ids.flatMap((id) => [id, partition]));
  return { key: String(partition), value: { minute, hashes: new Uint8Array(words.buffer) } };
};

test("reused ids are the same however few of them are held in memory, and no file stays behind", () => {
  const block = fc.tuple(
    fc.nat({ max: 9 }),
    fc.nat({ max: PARTITIONS - 1 }),
    fc.array(fc.nat({ max: 20 }), { maxLength: 12 }),
  );
  const before = folders();
  fc.assert(
    fc.property(fc.array(block, { maxLength: 12 }), fc.constantFrom(0, 100, Infinity), (blocks, maxHeldBytes) => {
      const kept = new KeptIds(PARTITIONS, maxHeldBytes);
      try {
        for (const each of blocks) kept.add([blockOf(...each)]);
        const found = kept.reused();
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const times = new Map<number, number>();
          const own = blocks.filter(([, its]) => its === partition);
          for (const id of own.flatMap(([, , ids]) => ids)) times.set(id, (times.get(id) ?? 0) + 1);
          const reused = [...times].filter(([, count]) => count > 1);
          expect(found[partition]!.reused).toBe(reused.reduce((sum, [, count]) => sum + count - 1, 0));
          for (const { first, times: count, minutes } of found[partition]!.examples) {
            expect(count).toBe(times.get(first));
            const where = own.filter(([, , ids]) => ids.includes(first)).map(([minute]) => minute);
            expect(minutes).toEqual([...new Set(where)].toSorted((a, b) => a - b).slice(0, 5));
          }
          expect(found[partition]!.examples.length).toBe(Math.min(20, reused.length));
        }
      } finally {
        kept.forget();
      }
    }),
    { numRuns: 60 },
  );
  expect(folders()).toBe(before);
});
