// SPDX-License-Identifier: Apache-2.0
/** The hours that `viewmill audit` finds by itself: --hourly, --daily and --due. */
import { Command } from "commander";
import * as audit from "../../../cli/commands/audit";
import { DAY_MS, HOUR_MS } from "../../../domain/rules/time";
import { AuditHarness } from "../../pipelines/audit-harness";
import { event } from "../../transforms/elements";

let harness: AuditHarness;
let out = "";
beforeEach(async () => {
  out = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  harness = await AuditHarness.open();
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await harness.close();
});

/** The ranges that the reports of a command have, each with its outcome; "totals" for the check of the totals. */
async function ranges(...words: string[]): Promise<string[]> {
  out = "";
  const program = new Command();
  audit.register(program);
  await program.parseAsync(["audit", ...words, "--repair", "--data", harness.folder], { from: "user" });
  const found = [...out.matchAll(/^range +(.*)$/gm)].map(([, range]) => range!);
  const outcomes = [...out.matchAll(/^outcome +(.*)$/gm)].map(([, outcome]) => outcome!);
  return found.map((range, n) => `${range.startsWith("every") ? "totals" : range}: ${outcomes[n]}`);
}

it("the last two days, what the archive keeps with the totals, or everything; an audited hour is not due again", async () => {
  const nowHour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const hours = [nowHour - 5 * HOUR_MS, nowHour - 10 * DAY_MS, nowHour - 40 * DAY_MS];
  // The newest hour is still open.
  for (const [n, eventTimeMs] of [...hours, Date.now()].entries())
    await harness.archive([event(`e${n}`, { eventTimeMs })], eventTimeMs);
  const [recent, old, ancient] = hours.map((hour) => {
    const [from, to] = [hour, hour + HOUR_MS].map((timeMs) => new Date(timeMs).toISOString());
    return `${from} .. ${to}: repaired`;
  });
  expect(await ranges("--hourly")).toEqual([recent]);
  expect(await ranges("--hourly")).toEqual([]);
  expect(await ranges("--daily")).toEqual([old, "totals: equal"]);
  expect(await ranges("--due")).toEqual([ancient]);
  expect([await ranges("--due"), process.exitCode]).toEqual([[], 0]);
});
