// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { repeatedRows } from "../../domain/rules/repeated-messages";

const eventsOf = (id: string): number => id.charCodeAt(0) % 4;
const listed = (name: string, ids: readonly string[]) => ({
  name,
  messages: ids.map((id) => ({ id, events: eventsOf(id) })),
});

test("the rows that are left over are those of every message once, whatever objects hold it", () => {
  const object = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), { maxLength: 7 });
  fc.assert(
    fc.property(fc.array(object, { maxLength: 5 }), (all) => {
      const objects = all.map((ids, n) => listed(`o${n}`, ids));
      const repeated = repeatedRows(objects.toReversed());
      const kept: string[] = [];
      for (const { name, messages } of objects) {
        const rows = messages.flatMap(({ id, events }) => Array.from({ length: events }, () => id));
        const ranges = repeated.get(name) ?? [];
        const isLeftOut = (row: number) => ranges.some((from, n) => n % 2 === 0 && from <= row && row < ranges[n + 1]!);
        kept.push(...rows.filter((_, row) => !isLeftOut(row)));
      }
      const once = [...new Set(all.flat())].flatMap((id) => Array.from({ length: eventsOf(id) }, () => id));
      expect(kept.toSorted()).toEqual(once.toSorted());
    }),
  );
});

test("objects of a log that delivers every message once have no repeated rows", () => {
  expect(repeatedRows([{ name: "a" }, { name: "b" }])).toEqual(new Map());
});
