// SPDX-License-Identifier: Apache-2.0
/** The contract of every store of access keys. */
import type { AccessKey, AccessKeys } from "../../../io/ports/access-keys";

const T = Date.parse("2026-11-21T10:00:00Z");
const DAY = 86_400_000;
const TODAY = Math.floor(T / DAY);

export function aKey(id: string, changes: Partial<AccessKey> = {}): AccessKey {
  return {
    id,
    name: `of ${id}`,
    hash: "00".repeat(32),
    scopes: ["write"],
    isPublic: false,
    limits: {},
    createdAtMs: T,
    ...changes,
  };
}

export function accessKeysContract(name: string, { open }: { open: () => Promise<AccessKeys> }): void {
  describe(`${name} as AccessKeys`, () => {
    it("gives back what was added, the oldest first, to whoever opens it later", async () => {
      const store = await open();
      expect(await store.list(TODAY)).toEqual([]);
      const whole = aKey("b", {
        createdAtMs: T + 1,
        name: 'Ünïcode "quoted"',
        scopes: ["write", "read", "operate"],
        isPublic: true,
        eventTypes: ["VIEW"],
        origins: ["https://example.com"],
        limits: { requestsPerSecond: 0.5, eventsPerSecond: 1e9, bytesPerSecond: 3, eventsPerDay: 2 ** 53 - 1 },
        expiresAtMs: T + DAY,
      });
      await store.add(whole);
      await store.add(aKey("a"));
      await store.close();
      const again = await open();
      const nothing = { eventsByInstance: new Map() };
      expect(await again.list(TODAY)).toEqual([
        { ...aKey("a"), ...nothing },
        { ...whole, ...nothing },
      ]);
      await again.close();
    });

    it("revokes once: the first time stays, other keys are left, an unknown key is told", async () => {
      const [store, other] = [await open(), await open()];
      await store.add(aKey("a"));
      await store.add(aKey("ab"));
      expect(await store.revoke("a", T + 5)).toBe(true);
      expect(await other.revoke("a", T + 9)).toBe(true);
      expect(await store.revoke("b", T)).toBe(false);
      expect(await store.revoke("", T)).toBe(false);
      const keys = await other.list(TODAY);
      expect(keys.map(({ id, revokedAtMs }) => [id, revokedAtMs])).toEqual([
        ["a", T + 5],
        ["ab", undefined],
      ]);
      await Promise.all([store.close(), other.close()]);
    });

    it("notes uses of several instances in any order: the later stays, and only the day asked for is told", async () => {
      const store = await open();
      await store.add(aKey("a"));
      await store.add(aKey("b"));
      const use = (events: number, lastUsedAtMs: number, day = TODAY) => ({ keyId: "a", day, events, lastUsedAtMs });
      await store.noteUses("one", []);
      await store.noteUses("one", [use(10, T + 10), { ...use(3, T + 2), keyId: "b" }]);
      await store.noteUses("one", [use(7, T + 7)]);
      await store.noteUses("two", [use(5, T + 20)]);
      const [a, b] = await store.list(TODAY);
      expect(a?.eventsByInstance).toEqual(
        new Map([
          ["one", 10],
          ["two", 5],
        ]),
      );
      expect([a?.lastUsedAtMs, b?.lastUsedAtMs]).toEqual([T + 20, T + 2]);
      expect(b?.eventsByInstance).toEqual(new Map([["one", 3]]));
      await store.noteUses("one", [use(1, T + DAY, TODAY + 1)]);
      expect((await store.list(TODAY + 1))[0]?.eventsByInstance).toEqual(new Map([["one", 1]]));
      await store.close();
    });

    it("keeps the last use of a key whose days are forgotten", async () => {
      const store = await open();
      await store.add(aKey("a"));
      await store.add(aKey("b"));
      await store.noteUses("one", [{ keyId: "a", day: TODAY, events: 1, lastUsedAtMs: T }]);
      await store.noteUses("two", [{ keyId: "b", day: TODAY + 40, events: 2, lastUsedAtMs: T + 40 * DAY }]);
      const [a, b] = await store.list(TODAY + 40);
      expect([a?.lastUsedAtMs, b?.lastUsedAtMs]).toEqual([T, T + 40 * DAY]);
      expect(a?.eventsByInstance.size).toBe(0);
      await store.close();
    });
  });
}
