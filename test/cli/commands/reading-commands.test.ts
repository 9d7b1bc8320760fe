// SPDX-License-Identifier: Apache-2.0
/**
 * Commands that only read: a folder that does not exist and a range that is reversed are refused, and nothing is made.
 */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BARE_ENVIRONMENT } from "../../bare-environment";

const MAIN = join(__dirname, "..", "..", "..", "cli", "main.js");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-reading-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

const viewmill = (...args: string[]): Promise<Outcome> => viewmillAs({}, ...args);

function viewmillAs(user: { uid?: number; gid?: number }, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: BARE_ENVIRONMENT, cwd: folder, ...user };
    const child = execFile(process.execPath, [MAIN, ...args], options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

it.each([
  ["audit"],
  ["audit", "--repair"],
  ["audit", "--hourly"],
  ["dead-letters", "list"],
  ["dead-letters", "show", "1"],
  ["dead-letters", "replay"],
  ["top"],
  ["counts", "v"],
  ["ledger"],
])("%s %s of a data folder that does not exist is one line and status 1, and makes nothing", async (...command) => {
  const missing = join(folder, "no", "such");
  const { code, stdout, stderr } = await viewmill(...command, "--data", missing);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toBe(`viewmill: The data folder ${missing} does not exist: name an existing one with --data.\n`);
  expect(existsSync(missing)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

it.each([
  ["2026-11-21T11:00:00Z", "2026-11-21T10:00:00Z"],
  ["2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"],
])("an audit from %s to %s is refused: nothing of it was looked at", async (from, to) => {
  const { code, stdout, stderr } = await viewmill("audit", "--data", folder, "--from", from, "--to", to);
  expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: "", stderr: "viewmill: --from must be before --to\n" });
  expect(readdirSync(folder)).toEqual([]);
});

/** Root can read everything, so the command runs as another user then. */
const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

it.each([["audit"], ["dead-letters", "list"], ["counts", "v"], ["ledger"]])(
  "%s of a data folder that may not be read is one line and status 1, and makes nothing",
  async (...command) => {
    chmodSync(folder, 0o755);
    const closed = join(folder, "closed");
    mkdirSync(closed);
    chmodSync(closed, 0);
    const { code, stdout, stderr } = await viewmillAs(asNobody, ...command, "--data", closed);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^viewmill: .*closed.*permission denied\..*\n$/);
    chmodSync(closed, 0o755);
    expect(readdirSync(closed)).toEqual([]);
  },
);

it("a list of dead letters that is not the whole one says so", async () => {
  const file = join(folder, "events.ndjson");
  const data = join(folder, "data");
  writeFileSync(file, '{"eventId":"e"}\n'.repeat(4));
  const backfilled = await viewmill("backfill", file, "--data", data, "--json");
  // No event was accepted, so that no minute was audited: nothing is called equal.
  expect(JSON.parse(backfilled.stdout)).toMatchObject({ accepted: 0, rejected: 4, audit: "nothing to audit" });
  const list = (...flags: string[]) => viewmill("dead-letters", "list", "--data", data, ...flags);
  const few = await list("--limit", "3");
  expect([few.code, few.stdout.trim().split("\n").length]).toEqual([0, 3]);
  expect(few.stderr).toBe("viewmill: there are more than these 3: --limit lists more\n");
  for (const all of [await list("--limit", "4"), await list()])
    expect([all.code, all.stdout.trim().split("\n").length, all.stderr]).toEqual([0, 4, ""]);
});

it("backfill of a file that may not be read is one line and status 1, and counts nothing", async () => {
  chmodSync(folder, 0o777);
  const file = join(folder, "events.ndjson");
  writeFileSync(file, '{"eventId":"e","videoId":"v","eventType":"VIEW","eventTime":"2024-01-01T00:00:00Z"}\n');
  chmodSync(file, 0);
  const { code, stdout, stderr } = await viewmillAs(asNobody, "backfill", file, "--data", join(folder, "data"));
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^viewmill: .*events\.ndjson: permission denied\n$/);
});
