// SPDX-License-Identifier: Apache-2.0
/**
 * The tables of roll-ups in counters.sqlite (cell-tiers.ts). Times are epoch milliseconds. counter-schema.ts puts them
 * into the file.
 */
export const ROLL_UPS = `
CREATE TABLE tier_state (
  only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL,
  level TEXT, from_ms INTEGER, to_ms INTEGER, phase TEXT
);
INSERT INTO tier_state VALUES (1, 0, NULL, NULL, NULL, NULL);
-- is_read: 0 until the range is committed.
CREATE TABLE roll_ups (
  name TEXT PRIMARY KEY, level TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
  part INTEGER NOT NULL, parts INTEGER NOT NULL,
  cells INTEGER NOT NULL, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, is_read INTEGER NOT NULL
) WITHOUT ROWID;
`;
