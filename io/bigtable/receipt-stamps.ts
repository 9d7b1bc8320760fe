// SPDX-License-Identifier: Apache-2.0
/**
 * Receipt stamps in the ledger's table, one row per key: `t#<hash of the key>`, family t, column `at`, whose timestamp
 * is the stamp. A check-and-mutate writes the stamp where no valid one exists, so the profile must allow transactional
 * writes. Stamps of other writers are then read in bulk. The write API asks for stamps here, where its instances share
 * a log.
 */
import { hash } from "node:crypto";
import { inParallel } from "../flow/in-parallel";
import { type ReceiptStamps, STAMP_MEMORY_MS, type Stamp } from "../ports";
import type { BigtableConfig } from "./config";
import { BigtableConnection } from "./connection";
import { STAMPS_FAMILY, stampKey } from "./ledger-keys";
import { setCell } from "./requests";
import { allOf } from "./row-filters";
import { mutateUnless, readRows } from "./rows";
import { timestampMicros } from "./versions";

const COLUMN = "at";
const PUTS_AT_ONCE = 64;

export class BigtableReceiptStamps implements ReceiptStamps {
  readonly #connection: BigtableConnection;

  constructor(config: BigtableConfig) {
    this.#connection = new BigtableConnection(config);
  }

  async hold(proposed: readonly Stamp[]): Promise<Stamp[]> {
    const { ledger } = this.#connection.tables;
    const rowKeys = proposed.map(({ key }) => stampKey(hash("sha256", key, "base64url")));
    const present = await inParallel(proposed.entries(), PUTS_AT_ONCE, ([index, { stampedAtMs }]) =>
      mutateUnless(this.#connection, ledger, rowKeys[index]!, holdingAt(stampedAtMs), [
        setCell(STAMPS_FAMILY, COLUMN, stampedAtMs, new Uint8Array(0)),
      ]),
    );
    const keys = rowKeys.filter((_, index) => present[index]).sort();
    const rows = await readRows(this.#connection, { tableName: ledger, keys, filter: allOf(STAMPS_FAMILY) });
    const held = new Map(rows.map((row) => [row.key, row.cells[0]!.version]));
    return proposed.map(({ key, stampedAtMs }, index) => ({
      key,
      stampedAtMs: (present[index] ? held.get(rowKeys[index]!) : undefined) ?? stampedAtMs,
    }));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** Matches a stamp that is valid for events received at `nowMs`. */
function holdingAt(nowMs: number) {
  const since = Math.max(0, nowMs - STAMP_MEMORY_MS + 1);
  return {
    chain: {
      filters: [
        allOf(STAMPS_FAMILY),
        { cellsPerColumnLimitFilter: 1 },
        { timestampRangeFilter: { startTimestampMicros: timestampMicros(since) } },
      ],
    },
  };
}
