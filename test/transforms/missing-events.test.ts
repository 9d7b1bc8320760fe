// SPDX-License-Identifier: Apache-2.0
/** The events that an audit finds missing in a minute, from its books and from the read objects. */
import fc from "fast-check";
import { BACKFILL_WRITER } from "../../domain/archive-name";
import type { ArchivedObject, LedgerMinute, WriteOff } from "../../io/ports";
import { leftoversOf, missingOf, NO_LOSS } from "../../transforms/missing-events";

const MINUTE = 29_000_000;
const nameOf = (writer: string) => `date=2025-02-19/hour=21/minute=20/${writer}.avro`;
const object = (writer: string, events: number, more: Partial<ArchivedObject> = {}): ArchivedObject => ({
  ...{ name: nameOf(writer), minute: MINUTE, events, sizeBytes: 100 },
  ...more,
});
const writeOff = (events: number): WriteOff => ({ minute: MINUTE, events, reason: "retention", atMs: 1, auditId: "a" });
const booksWith = (more: Partial<LedgerMinute>): LedgerMinute => ({
  ...{ minute: MINUTE, accepted: 0, promised: 0, declared: 0, direct: 0, backfilled: 0, reusedIds: 0 },
  ...{ archived: 0, counted: 0, duplicate: 0, late: 0, lost: 0 },
  ...more,
});
const readOf = (objects: readonly ArchivedObject[]) => new Map(objects.map(({ name, events }) => [name, events]));

describe("events of a minute that are missing", () => {
  it("are those that were accepted and are in no object, and the loss can be written off", () => {
    const listed = [object("w-1", 3), object("w-2", 4)];
    const found = missingOf({ accepted: 9, listed, books: undefined }, readOf(listed));
    expect(found).toMatchObject({ missing: 2, loss: { events: 2, objects: [] }, isUnlisted: false, repeated: 0 });
    expect(found.gap).toBe("9 events accepted, 7 in the archive");
  });

  it("an object that is listed and absent is named, and its events are the loss", () => {
    const [first, second] = [object("w-1", 3), object("w-2", 4)];
    const found = missingOf({ accepted: 7, listed: [first, second], books: undefined }, readOf([first]));
    expect(found).toMatchObject({ missing: 4, loss: { events: 4, objects: [second.name] } });
    expect(found.gap).toBe(`${second.name}: listed with 4 events, but not in the archive`);
  });

  it("an object with other events than are listed is damage, and no loss that can be written off", () => {
    const [first, second] = [object("w-1", 3), object("w-2", 4)];
    const read = new Map([[first.name, 2]]);
    const found = missingOf({ accepted: 7, listed: [first, second], books: undefined }, read);
    expect(found.loss).toEqual(NO_LOSS);
    expect(found).toMatchObject({ missing: 5, gap: `${first.name}: listed with 3 events, has 2` });
  });

  it("a backfilled object that is absent is no loss: the backfill is run again", () => {
    const listed = [object(`${BACKFILL_WRITER}-1`, 5)];
    const found = missingOf({ accepted: 0, listed, books: undefined }, new Map());
    expect(found).toMatchObject({ missing: 0, loss: NO_LOSS });
    expect(found.gap).toBe(`${listed[0]!.name}: listed with 5 events, but not in the archive`);
  });

  it("an object of size 0 has expired, was written off, or was never written: nobody misses it", () => {
    const expired = object("w-1", 3, { sizeBytes: 0 });
    expect(missingOf({ accepted: 0, listed: [expired], books: undefined }, new Map())).toMatchObject({ gap: "" });
  });

  it("a message that is in two objects is in the archive once", () => {
    const messages = [{ id: "m", events: 3, accepted: 3 }];
    const listed = [object("w-1", 3, { messages }), object("w-2", 3, { messages })];
    const found = missingOf({ accepted: 4, listed, books: undefined }, readOf(listed));
    expect(found).toMatchObject({ repeated: 3, missing: 1, loss: { events: 1 } });
  });

  it("an object that no ledger lists is a leftover only where the log may deliver a message twice", () => {
    const messages = [{ id: "m", events: 3, accepted: 3 }];
    const objects = [object("w-1", 3, { messages }), object("w-2", 3), object(`${BACKFILL_WRITER}-1`, 2)];
    expect(leftoversOf({ objects, listed: objects.slice(0, 1) })).toEqual(new Set([nameOf("w-2")]));
    expect(leftoversOf({ objects, listed: objects })).toEqual(new Set());
    expect(leftoversOf({ objects, listed: [object("w-1", 3)] })).toEqual(new Set());
    expect(leftoversOf({ objects, listed: [] })).toEqual(new Set());
  });

  it("beyond what is written off are named with it, and books say whether they were balanced", () => {
    const listed = [object("w-1", 3)];
    const books = booksWith({ archived: 3, counted: 2, duplicate: 1, writtenOff: writeOff(4) });
    const found = missingOf({ accepted: 9, listed, books }, readOf(listed));
    expect(found.gap).toBe("9 events accepted, 3 in the archive, 4 written off");
    expect(found.isUnbalanced).toBe(false);
    const unbalanced = (counted: number) => booksWith({ archived: 3, counted, duplicate: 1 });
    for (const counted of [1, 3])
      expect(missingOf({ accepted: 3, listed, books: unbalanced(counted) }, readOf(listed)).isUnbalanced).toBe(true);
    expect(missingOf({ accepted: 3, listed, books: undefined }, readOf(listed)).isUnbalanced).toBe(false);
  });

  it("events that were backfilled do not stand for events of the log", () => {
    const listed = [object("w-1", 3), object(`${BACKFILL_WRITER}-1`, 2)];
    expect(missingOf({ accepted: 5, listed, books: undefined }, readOf(listed))).toMatchObject({ missing: 2 });
  });
});

it("whatever is accepted, archived, taken away and written off: the loss is what nobody has written off", () => {
  const counts = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean()), { maxLength: 6 });
  fc.assert(
    fc.property(counts, counts, fc.nat(9), fc.nat(30), fc.boolean(), (logged, filled, unseen, known, wasSettled) => {
      const objects = logged.map(([events], index) => object(`w-${index}`, events));
      const backfills = filled.map(([events], index) => object(`${BACKFILL_WRITER}-${index}`, events));
      const kept = objects.filter((_, index) => logged[index]![1]);
      const accepted = objects.reduce((sum, { events }) => sum + events, unseen);
      const gone = accepted - kept.reduce((sum, { events }) => sum + events, 0);
      const writtenOff = known > 0 ? { writtenOff: writeOff(known) } : {};
      const books = booksWith({ ...writtenOff, ...(wasSettled && { isSettled: true }) });
      const found = missingOf({ accepted, listed: [...objects, ...backfills], books }, readOf([...kept, ...backfills]));
      expect(found.missing).toBe(gone);
      expect(found.loss.events).toBe(Math.max(0, gone - known));
      expect(found.loss.objects).toEqual(objects.filter((one) => !kept.includes(one)).map(({ name }) => name));
      expect(found.gap === "").toBe(found.loss.objects.length === 0 && gone <= known);
      expect(found.wasSettled).toBe(wasSettled);
      expect(found.writtenOff).toEqual(writtenOff.writtenOff);
      expect(found.isUnlisted).toBe(false);
      const unlisted = missingOf({ accepted, listed: backfills, books }, readOf([...kept, ...backfills]));
      expect(unlisted.isUnlisted).toBe(kept.length > 0);
    }),
  );
});
