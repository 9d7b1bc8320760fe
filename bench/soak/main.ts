// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run soak`: a service under a steady load whose clock runs a hundred times as fast, so that half an hour has two
 * days of minutes, hours, audits, retention and roll-ups. What the service holds must stay flat, and every count must
 * be exact in the end. Exit 1 where one of these is not so.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { commandLine } from "../../cli/environment";
import { HOUR_MS } from "../../domain/rules/time";
import { ProcessClock } from "../../servers/process-clock";
import { booksBalance, wrongCells } from "../load/proof";
import { type Service, startService } from "../load/service";
import { positive, runProgram, writePage } from "../program";
import { type Sample, sampleOf } from "./process-samples";
import { flatness, type SoakResult, soakPage } from "./soak-page";
import { SteadyLoad } from "./steady-load";

interface Flags {
  minutes: number;
  rate: number;
  videos: number;
  speed: number;
  seed: number;
  markdown?: string;
}

const TICK_MS = 100;
const SAMPLE_EVERY_MS = 5_000;
const COUNTED_DEADLINE_MS = 600_000;
/** Timers that count real time: as short as the configuration allows. */
const SHORT_TIMERS = {
  VIEWMILL_AUDIT_EVERY_MINUTES: "1",
  VIEWMILL_TIER_EVERY_MINUTES: "1",
  VIEWMILL_RETENTION_RAW_DAYS: "1",
  VIEWMILL_LATENESS_FINAL_AFTER_MINUTES: "60",
};

async function main(flags: Flags): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "viewmill-soak-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const clock = new ProcessClock(join(folder, "clock"));
  const data = join(folder, "data");
  const service = await startService(data, { ...clock.environment, ...SHORT_TIMERS });
  try {
    const result = await soaked(service, data, clock, flags);
    const page = soakPage(result, `npm run soak -- ${commandLine().slice(2).join(" ")}`);
    process.stdout.write(page);
    writePage(page, flags.markdown);
    if (result.wrong.length > 0 || !result.isBalanced || flatness(result.samples).some(({ isFlat }) => !isFlat))
      process.exitCode = 1;
  } finally {
    await service.stop();
  }
}

async function soaked(service: Service, data: string, clock: ProcessClock, flags: Flags): Promise<SoakResult> {
  const load = new SteadyLoad({
    url: service.url,
    now: () => clock.now(),
    eventsPerSecond: flags.rate,
    videos: flags.videos,
    seed: flags.seed,
  });
  const startedAtMs = clock.now();
  const samples: Sample[] = [];
  const started = performance.now();
  const endsAt = started + flags.minutes * 60_000;
  load.start();
  for (let nextSampleMs = 0; performance.now() < endsAt; await delay(TICK_MS)) {
    const passedMs = performance.now() - started;
    clock.advance(Math.max(0, Math.round(passedMs * (flags.speed - 1)) - clock.aheadMs));
    if (passedMs < nextSampleMs) continue;
    nextSampleMs += SAMPLE_EVERY_MS;
    samples.push(sampleOf(service.pid, data, passedMs / 1000));
  }
  await load.stop();
  const now = () => clock.now();
  const { balanced, waitedS } = await booksBalance(service.url, startedAtMs, now, COUNTED_DEADLINE_MS);
  return {
    flags,
    machine: { cpus: cpus().length, load: loadavg().map((one) => one.toFixed(1)) },
    eventHours: (clock.now() - startedAtMs) / HOUR_MS,
    sent: { requests: load.requests, events: load.events, reads: load.reads, refused: load.refused },
    samples,
    cells: load.expected.size,
    distinct: [...load.expected.values()].reduce((sum, count) => sum + count, 0),
    wrong: await wrongCells(service.url, load.expected, startedAtMs, now),
    isBalanced: balanced,
    waitedS,
  };
}

runProgram(
  new Command("npm run soak --")
    .description("a steady load on a service whose clock runs fast: what it holds stays flat, every count is exact")
    .option("--minutes <n>", "of this machine's time", positive, 30)
    .option("--rate <n>", "events a second of this machine's time", positive, 200)
    .option("--videos <n>", "videos among which the events are spread", positive, 200)
    .option("--speed <n>", "how many times as fast the service's clock runs", positive, 100)
    .option("--seed <n>", "of the events", positive, 1)
    .option("--markdown <file>", "write the result here as a page")
    .action(main),
);
