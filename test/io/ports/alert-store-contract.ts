// SPDX-License-Identifier: Apache-2.0
/** The contract of every store of alerts. */
import type { AlertState } from "../../../domain/rules/alerts";
import type { AlertStore, Delivery, NewDelivery } from "../../../io/ports/alert-store";

const T = Date.parse("2026-11-21T10:00:00Z");
const STATE: AlertState = { since: { a: T }, fired: ["a"] };

const message = (messageId: string, webhook = "hook", createdAtMs = T): NewDelivery => {
  return { webhook, messageId, rule: "rule", createdAtMs, body: `{"id":"${messageId}"}` };
};
const ids = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ messageId }) => messageId);

export function alertStoreContract(name: string, { open }: { open: () => Promise<AlertStore> }): void {
  describe(`${name} as AlertStore`, () => {
    let store: AlertStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    it("gives back states and messages to whoever opens it later", async () => {
      await store.record("rule", STATE, [message("m1"), message("m1", "other")], 10);
      await store.record("rule", { since: {}, fired: [] }, [], 10);
      await store.record("second", STATE, [], 10);
      await store.close();
      store = await open();
      expect(await store.states()).toEqual(
        new Map<string, AlertState>([
          ["rule", { since: {}, fired: [] }],
          ["second", STATE],
        ]),
      );
      const kept = { ...message("m1"), state: "waiting", attempts: 0, nextAttemptAtMs: T, sinceMs: T };
      expect(await store.list({ limit: 10 })).toMatchObject([{ ...kept, webhook: "other" }, kept]);
      await store.keepRules(["second"]);
      expect([...(await store.states()).keys()]).toEqual(["second"]);
    });

    it("keeps neither the state nor a message where one of the messages cannot be kept", async () => {
      await expect(store.record("rule", STATE, [message("m1"), message("m1")], 10)).rejects.toThrow();
      expect(await store.states()).toEqual(new Map());
      expect(await store.list({ limit: 10 })).toEqual([]);
    });

    it("gives what is due of a webhook, the oldest first, until an attempt has ended it", async () => {
      await store.record("rule", STATE, [message("late", "hook", T + 5), message("m1"), message("m2", "other")], 10);
      expect(await store.due("hook", T - 1, 10)).toEqual([]);
      expect(ids(await store.due("hook", T + 5, 10))).toEqual(["m1", "late"]);
      const [first] = await store.due("hook", T + 5, 1);
      await store.attempted(first!.sequence, { state: "waiting", nextAttemptAtMs: T + 9, detail: "500" });
      expect(ids(await store.due("hook", T + 8, 10))).toEqual(["late"]);
      // The clock has been set back by more than any pause lasts.
      expect(ids(await store.due("hook", T - 1_000, 10, 1_000))).toEqual(["late", "m1"]);
      expect(await store.due("hook", T - 1_000, 10, 2_000)).toEqual([]);
      const [again] = await store.due("hook", T + 9, 10).then((all) => all.filter((one) => one.messageId === "m1"));
      expect(again).toMatchObject({ attempts: 1, lastOutcome: "500", sinceMs: T });
      await store.attempted(first!.sequence, { state: "delivered", atMs: T + 10, detail: "200" });
      // An attempt that was still under way changes nothing any more.
      await store.attempted(first!.sequence, { state: "dead", atMs: T + 11, detail: "late" });
      expect(await store.list({ limit: 10, messageId: "m1" })).toMatchObject([
        { state: "delivered", attempts: 2, endedAtMs: T + 10, lastOutcome: "200" },
      ]);
      expect(await store.waiting()).toEqual(
        new Map([
          ["hook", 1],
          ["other", 1],
        ]),
      );
    });

    it("lists page by page, by state and webhook", async () => {
      for (let n = 0; n < 5; n++) await store.record("rule", STATE, [message(`m${n}`, n === 3 ? "other" : "hook")], 10);
      const first = await store.list({ limit: 2 });
      expect(ids(first)).toEqual(["m4", "m3"]);
      expect(ids(await store.list({ limit: 9, beforeSequence: first.at(-1)!.sequence }))).toEqual(["m2", "m1", "m0"]);
      expect(ids(await store.list({ limit: 9, webhook: "other" }))).toEqual(["m3"]);
      expect(await store.list({ limit: 9, state: "dead" })).toEqual([]);
    });

    it("makes messages wait again, and gives them as long as new ones", async () => {
      await store.record("rule", STATE, [message("m1"), message("m2")], 10);
      for (const { sequence } of await store.due("hook", T, 10))
        await store.attempted(sequence, { state: "dead", atMs: T + 1, detail: "gone" });
      expect(await store.due("hook", T + 1, 10)).toEqual([]);
      expect(await store.replay({ messageId: "m2" }, T + 50)).toBe(1);
      expect(await store.due("hook", T + 49, 10)).toEqual([]);
      expect(await store.due("hook", T + 50, 10)).toMatchObject([{ messageId: "m2", sinceMs: T + 50 }]);
      expect(await store.replay({ state: "dead", webhook: "other" }, T)).toBe(0);
      expect(await store.replay({ state: "dead" }, T + 60)).toBe(1);
      expect((await store.list({ limit: 9 })).every(({ endedAtMs }) => endedAtMs === undefined)).toBe(true);
    });

    it("bounds what waits for a webhook: a further message is dead from the start, and listed", async () => {
      await store.record("rule", STATE, [message("m1"), message("m2"), message("m3"), message("m1", "other")], 2);
      expect(ids(await store.due("hook", T, 10))).toEqual(["m1", "m2"]);
      expect(await store.list({ limit: 9, state: "dead" })).toMatchObject([{ messageId: "m3", attempts: 0 }]);
    });

    it("forgets what ended long ago, and nothing that waits", async () => {
      await store.record("rule", STATE, [message("m1"), message("m2")], 10);
      const [first] = await store.due("hook", T, 1);
      await store.attempted(first!.sequence, { state: "delivered", atMs: T + 5, detail: "" });
      await store.prune(T + 5);
      expect(await store.list({ limit: 9 })).toHaveLength(2);
      await store.prune(T + 6);
      expect(ids(await store.list({ limit: 9 }))).toEqual(["m2"]);
    });
  });
}
