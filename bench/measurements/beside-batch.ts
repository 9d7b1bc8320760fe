// SPDX-License-Identifier: Apache-2.0
/** The cost of the batch commands for a live service on the same data folder: the age of a probe event, and locks. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { DAY_MS, HOUR_MS } from "../../domain/rules/time";
import { type LatencySummary, pauseUntil } from "../load/latencies";
import { probeFreshness } from "../load/probe-freshness";
import { probeWriteLock } from "../load/probe-write-lock";
import { sendBodies } from "../load/send-bodies";
import { caughtUp, type Service, startService } from "../load/service";
import { clockedBy, type Transaction, transactionsIn } from "../load/transaction-clock";
import type { Bench, Measurement } from "../measurement";
import { below, type Figure, figure } from "../report";
import { startTask } from "../task";

const MAIN = join(__dirname, "..", "..", "cli", "main.js");
const FRESHNESS_COST_GOAL_S = 1;
const TRANSACTION_GOAL_MS = 100;
/** Past the retention of minutes (8 days) and of hours (100 days): `tier` moves both. */
const OLD_DAYS = [9, 120];

interface Beside {
  fresh: LatencySummary;
  heldMs: number;
  longestLookMs: number;
  runs: number;
  wallS: number;
  /** The transactions with the most processor time, of the service and of the command. */
  transactions: Transaction[];
}

const LISTED_TRANSACTIONS = 5;

const clockFile = (folder: string) => `${folder}.transactions`;

/** Ends with the command's exit status. */
function viewmill(folder: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const settings = Object.entries(clockedBy(clockFile(folder))).map(([name, value]) => `${name}=${value}`);
    const child = spawn("env", [...settings, process.execPath, MAIN, ...args, "--data", folder], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/**
 * Probes the service while `command` runs, again and again where one run ends before the probes do; the first run is
 * waited for whole.
 */
async function beside(
  bench: Bench,
  service: Service,
  folder: string,
  command: ((run: number) => Promise<number>) | undefined,
): Promise<Beside> {
  const lock = startTask(probeWriteLock, { folder });
  await lock.ready;
  const startedMs = performance.now();
  const startedAtMs = Date.now();
  let [runs, over] = [0, false];
  const work = (async () => {
    while (command !== undefined && (runs === 0 || !over)) {
      const status = await command(runs++);
      if (status !== 0) throw new Error(`the command ended with ${status}`);
    }
  })();
  const probes = bench.task(probeFreshness, { url: service.url, probes: bench.parameters.freshnessProbes });
  const ended = probes.finally(() => {
    over = true;
  });
  const [{ result: fresh }] = await Promise.all([ended, work]);
  lock.stop();
  const { heldMs, longestLookMs } = (await lock.done).result;
  const transactions = transactionsIn(clockFile(folder))
    .filter(({ endedAtMs }) => endedAtMs >= startedAtMs)
    .sort((a, b) => b.cpuMs - a.cpuMs)
    .slice(0, LISTED_TRANSACTIONS);
  return { fresh, heldMs, longestLookMs, runs, wallS: (performance.now() - startedMs) / 1_000, transactions };
}

/** Backfilled days: the archive and the cells that the commands work on. */
async function oldEvents(bench: Bench, seed: number, daysAgo: number): Promise<string> {
  const startMs = Math.floor((Date.now() - daysAgo * DAY_MS) / HOUR_MS) * HOUR_MS;
  const { auditEvents, events } = bench.parameters;
  const minutes = 120;
  return bench.file("ndjson", { ...bench.data, events: Math.min(auditEvents, events) / 5, minutes, startMs, seed });
}

const cpuMs = ({ transactions }: Beside): number => transactions[0]?.cpuMs ?? 0;

function figuresOf(name: string, title: string, found: Beside, alone: Beside): Figure[] {
  const costS = (found.fresh.maxMs - alone.fresh.maxMs) / 1_000;
  return [
    figure(
      `beside-batch/${name}-p50`,
      `acknowledged to readable beside ${title}, p50`,
      "s",
      found.fresh.p50Ms / 1_000,
      {
        baselines: { alone: alone.fresh.p50Ms / 1_000 },
      },
    ),
    figure(
      `beside-batch/${name}-max`,
      `acknowledged to readable beside ${title}, longest`,
      "s",
      found.fresh.maxMs / 1_000,
      {
        baselines: { alone: alone.fresh.maxMs / 1_000 },
      },
    ),
    figure(`beside-batch/${name}-cost`, `what ${title} costs the longest`, "s", costS, {
      goal: below(FRESHNESS_COST_GOAL_S),
    }),
    figure(`beside-batch/${name}-transaction`, `longest transaction beside ${title}, CPU`, "ms", cpuMs(found), {
      goal: below(TRANSACTION_GOAL_MS),
      baselines: { alone: cpuMs(alone) },
    }),
    figure(`beside-batch/${name}-lock`, `longest lock of the counters beside ${title}`, "ms", found.heldMs, {
      baselines: { alone: alone.heldMs },
    }),
  ];
}

export const measurement: Measurement = {
  name: "beside-batch",
  title: "A live service beside a backfill, an audit and a tiering",
  onlyByName: true,
  async run(bench: Bench) {
    const { seed, events, connections, settleSeconds } = bench.parameters;
    const folder = bench.newFolder();
    const service = await startService(folder, clockedBy(clockFile(folder)));
    try {
      const url = service.url;
      const live = { ...bench.data, events: events / 10, minutes: 60, startMs: Date.now() - HOUR_MS, seed: seed + 3 };
      const headers = { "Content-Type": "application/vnd.viewmill.batch+avro" };
      await bench.task(sendBodies, { url, bodies: await bench.file("frames", live), headers, connections });
      await caughtUp(url);
      await pauseUntil(performance.now() + settleSeconds * 1_000);
      const old = await Promise.all(OLD_DAYS.map((daysAgo, n) => oldEvents(bench, seed + n, daysAgo)));
      const alone = await beside(bench, service, folder, undefined);
      const backfill = await beside(bench, service, folder, (run) =>
        viewmill(folder, ["backfill", old[run % old.length]!]),
      );
      for (const file of old) await viewmill(folder, ["backfill", file]);
      const since = new Date(Date.now() - 130 * DAY_MS).toISOString();
      const until = new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS).toISOString();
      const audit = await beside(bench, service, folder, () =>
        viewmill(folder, ["audit", "--from", since, "--to", until]),
      );
      const tier = await beside(bench, service, folder, () => viewmill(folder, ["tier"]));
      const figures = [
        figure("beside-batch/alone-max", "acknowledged to readable alone, longest", "s", alone.fresh.maxMs / 1_000),
        figure("beside-batch/alone-transaction", "longest transaction alone, CPU", "ms", cpuMs(alone)),
        ...figuresOf("backfill", "a backfill", backfill, alone),
        ...figuresOf("audit", "an audit", audit, alone),
        ...figuresOf("tier", "a tiering", tier, alone),
      ];
      return { figures, facts: { alone, backfill, audit, tier } };
    } finally {
      await service.stop();
    }
  },
};
