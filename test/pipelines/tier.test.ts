// SPDX-License-Identifier: Apache-2.0
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MINUTE_MS } from "../../domain/rules/time";
import { asMinuteCounts, type ModelCell } from "../io/ports/counter-model";
import { tierContract } from "./tier-contract";
import { OLD } from "./tier-events";
import { TierHarness } from "./tier-harness";

tierContract("SQLite and a folder", {
  open: () => TierHarness.open(),
  runs: 3,
  takeHourAway: async ({ folder }) => {
    const db = new DatabaseSync(join(folder, "counters.sqlite"));
    const row = db.prepare("SELECT id, cells FROM hour_blocks ORDER BY id LIMIT 1").get()!;
    db.prepare("DELETE FROM hour_blocks WHERE id = ?").run(row.id!);
    return async () => {
      db.prepare("INSERT INTO hour_blocks VALUES (?, ?)").run(row.id!, row.cells!);
      db.close();
    };
  },
});

describe("tiers of one machine", () => {
  it("the file of the store shrinks when cells leave it", async () => {
    const harness = await TierHarness.open();
    try {
      const from = OLD / MINUTE_MS;
      const cells: ModelCell[] = [];
      for (let n = 0; n < 30 * 200; n++) {
        const place = { minute: from + Math.floor(n / 200), video: `v${(n % 200) * 64}`, type: "VIEW" };
        cells.push({ ...place, count: 1 + (n % 7), sum: 0n, valued: 0, last: 5, correction: 0 });
      }
      await harness.stores.counters.apply(asMinuteCounts(cells), { finalBeforeMinute: from + 1440 });
      const range = { fromMinute: from, toMinute: from + 1440 };
      await harness.stores.ledger.markAudited({ ...range, sequences: new Map(), except: [] });
      const sizeBytes = () => {
        const db = new DatabaseSync(join(harness.folder, "counters.sqlite"));
        db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        db.close();
        return statSync(join(harness.folder, "counters.sqlite")).size;
      };
      const full = sizeBytes();
      await harness.tier(undefined, 100_000);
      expect(sizeBytes()).toBeLessThan(full);
    } finally {
      await harness.close();
    }
  });
});
