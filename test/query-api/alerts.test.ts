// SPDX-License-Identifier: Apache-2.0
import type { AlertRule } from "../../domain/rules/alerts";
import { SqliteAlertStore } from "../../io/sqlite/alert-store";
import { alertsSchema } from "../../query-api/webhook-schemas";
import { iso, MINUTE, NOW_MS, QueryHarness } from "./query-harness";

const RULES: AlertRule[] = [
  { name: "million", kind: "video-passes", videoId: "v", eventType: "VIEW", count: 1_000_000 },
  { name: "books", kind: "unbalanced", minutes: 20 },
  { name: "audits", kind: "audit-differs" },
];

it("alerts: every rule, whether it fires, and since when; none where there are no rules", async () => {
  const without = await QueryHarness.start();
  expect((await without.get("/v1/alerts").expect(200)).body).toEqual({ rules: [] });
  await without.stop();

  let store: SqliteAlertStore | undefined;
  const harness = await QueryHarness.start(({ folder }) => {
    store = new SqliteAlertStore({ folder });
    return { alerts: store, alertRules: RULES };
  });
  const since = { "29400000": NOW_MS - MINUTE, "29400001": NOW_MS };
  await store!.record("books", { since, fired: [] }, [], 10);
  await store!.record("audits", { since: { a: NOW_MS }, fired: ["a"] }, [], 10);
  const { body } = await harness.get("/v1/alerts").expect(200);
  expect(alertsSchema.parse(body).rules).toEqual([
    { name: "million", kind: "video-passes", state: "quiet" },
    { name: "books", kind: "unbalanced", state: "pending", since: iso(NOW_MS - MINUTE) },
    { name: "audits", kind: "audit-differs", state: "firing", since: iso(NOW_MS) },
  ]);
  await store!.close();
  await harness.stop();
});
