// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { configSchema } from "../../../cli/config/schema";
import { TierSchedule } from "../../../cli/programs/tier-schedule";
import { MINUTE_MS } from "../../../domain/rules/time";
import { prepareDataFolder } from "../../../io/sqlite/data-folder";
import { until } from "../../until";

const DEADLINE_MS = 120_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-tier-schedule-"));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

it("a tiering that fails is a metric until one ends well", { timeout: 2 * DEADLINE_MS }, async () => {
  const config = configSchema.parse({ data: join(folder, "data"), tier: { everyMinutes: 1 } });
  const file = join(folder, "viewmill.json");
  writeFileSync(file, JSON.stringify(config));
  const logged: string[] = [];
  const logger = pino({}, { write: (line) => void logged.push(line) });
  vi.useFakeTimers({ toFake: ["setInterval"] });
  const schedule = new TierSchedule(config, () => file, logger);
  const [gauge] = schedule.gauges;
  schedule.start();
  try {
    expect(await gauge!.value()).toBe(0);
    // The data folder is away, so the command ends with status 1.
    vi.advanceTimersByTime(MINUTE_MS);
    await until("the failure is told", async () => (await gauge!.value()) === 1, DEADLINE_MS);
    expect(logged.join()).toContain("scheduled tiering failed");
    prepareDataFolder(config.data);
    vi.advanceTimersByTime(MINUTE_MS);
    await until("the next one ends well", async () => (await gauge!.value()) === 0, DEADLINE_MS);
    expect(logged).toHaveLength(1);
  } finally {
    await schedule.stop();
  }
});
