// SPDX-License-Identifier: Apache-2.0
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { orderOfRowSql, type RowState, rowVersion } from "../../../domain/rules/row-version";

const few = fc.integer({ min: 0, max: 3 });
const rowState: fc.Arbitrary<RowState> = fc.record({ received: few, late: few, counted: few, reusedIds: few });

/** The rule word by word: more events, then more counted, then more reused ids. */
function isLaterRow(next: RowState, stored: RowState): boolean {
  const words = (of: RowState) => [of.received + of.late, of.counted, of.reusedIds];
  const [a, b] = [words(next), words(stored)];
  const at = a.findIndex((word, index) => word !== b[index]);
  return at >= 0 && a[at]! > b[at]!;
}

test("SQL orders the states of a row as the rule does", () => {
  const db = new DatabaseSync(":memory:");
  const columns = ["received", "late", "counted", "reused_ids"];
  db.exec(`CREATE TABLE a (${columns.join(", ")}); CREATE TABLE b (${columns.join(", ")})`);
  const isLater = db.prepare(`SELECT ${orderOfRowSql("a.")} > ${orderOfRowSql("b.")} AS later FROM a, b`);
  const put = (table: string, { received, late, counted, reusedIds }: RowState) => {
    db.exec(`DELETE FROM ${table}`);
    db.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?)`).run(received, late, counted, reusedIds);
  };
  fc.assert(
    fc.property(rowState, rowState, (a, b) => {
      put("a", a);
      put("b", b);
      expect(isLater.get()!.later).toBe(Number(isLaterRow(a, b)));
    }),
  );
  db.close();
});

test("a version as one number orders states as the rule does, up to reused ids", () => {
  fc.assert(
    fc.property(rowState, rowState, (a, b) => {
      if (rowVersion(a) > rowVersion(b)) expect(isLaterRow(a, b)).toBe(true);
      if (isLaterRow(a, b)) expect(rowVersion(a)).toBeGreaterThanOrEqual(rowVersion(b));
    }),
  );
  const large = fc.integer({ min: 0, max: 2 ** 30 - 1 });
  fc.assert(
    fc.property(large, large, (received, more) => {
      const [a, b] = [received, more].map((events) => ({ received: events, late: 0, counted: events, reusedIds: 0 }));
      expect(rowVersion(a!) > rowVersion(b!)).toBe(received > more);
    }),
  );
  expect(() => rowVersion({ received: 2 ** 30, late: 0, counted: 0, reusedIds: 0 })).toThrow(RangeError);
});
