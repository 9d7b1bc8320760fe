// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run stress`: raises the load on a service until something gives, says what gave first, and then whether the
 * service is as before at the first rate, with everything that it had accepted counted once. Exit 1 where it is not.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { booksBalance, wrongCells } from "../load/proof";
import { type Service, startService } from "../load/service";
import { positive, runProgram, writePage } from "../program";
import { RisingLoad, type Step } from "./rising-load";
import { hasRecovered, whatGave } from "./what-gave";

interface Flags {
  from: number;
  factor: number;
  seconds: number;
  markdown?: string;
}

interface Stressed {
  steps: { step: Step; countingLagS: number }[];
  gave: string | undefined;
  /** Undefined: not within the time. */
  recoveredS: number | undefined;
  wrong: readonly string[];
  isBalanced: boolean;
  accepted: number;
}

const MAX_STEPS = 40;
const RECOVERY_DEADLINE_MS = 300_000;

async function main(flags: Flags): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "viewmill-stress-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const service = await startService(join(folder, "data"));
  try {
    const result = await stressed(service, flags);
    const page = pageOf(result, flags);
    process.stdout.write(page);
    writePage(page, flags.markdown);
    if (result.recoveredS === undefined || result.wrong.length > 0 || !result.isBalanced) process.exitCode = 1;
  } finally {
    await service.stop();
  }
}

async function stressed({ url }: Service, { from, factor, seconds }: Flags): Promise<Stressed> {
  const load = new RisingLoad(url);
  const startedAtMs = Date.now();
  const steps: Stressed["steps"] = [];
  let gave: string | undefined;
  for (let rate = from; gave === undefined && steps.length < MAX_STEPS; rate = Math.round(rate * factor)) {
    const step = await load.step(rate, seconds);
    const countingLagS = await countingLag(url);
    gave = whatGave(step, countingLagS);
    steps.push({ step, countingLagS });
    process.stderr.write(`${rate} events/s: ${gave ?? "holds"}\n`);
  }
  await load.settle();
  const started = performance.now();
  let recoveredS: number | undefined;
  while (recoveredS === undefined && performance.now() - started < RECOVERY_DEADLINE_MS) {
    const step = await load.step(from, seconds);
    if (hasRecovered(step, await countingLag(url))) recoveredS = (performance.now() - started) / 1000;
  }
  await load.settle();
  const { balanced } = await booksBalance(url, startedAtMs, Date.now, RECOVERY_DEADLINE_MS);
  const accepted = [...load.expected.values()].reduce((sum, count) => sum + count, 0);
  const wrong = await wrongCells(url, load.expected, startedAtMs, Date.now);
  return { steps, gave, recoveredS, wrong, isBalanced: balanced, accepted };
}

/** Returns how far completeThrough is behind now. */
async function countingLag(url: string): Promise<number> {
  const answer = (await (await fetch(`${url}/v1/videos/none`)).json()) as { asOf: string; completeThrough: string };
  return (Date.parse(answer.asOf) - Date.parse(answer.completeThrough)) / 1000;
}

function pageOf({ steps, gave, recoveredS, wrong, isBalanced, accepted }: Stressed, flags: Flags): string {
  const rows = steps.map(({ step, countingLagS }) => {
    const { eventsPerSecond, sent, accepted: taken, refused, p50Ms, p99Ms, generatorLagMs } = step;
    const times = [p50Ms, p99Ms, generatorLagMs].map((ms) => ms.toFixed(0));
    return `| ${[eventsPerSecond, sent, taken, JSON.stringify(refused), ...times, countingLagS.toFixed(1)].join(" | ")} |`;
  });
  return `# Stress

    npm run stress -- --from ${flags.from} --factor ${flags.factor} --seconds ${flags.seconds}

Load of the machine at the end ${loadavg()
    .map((one) => one.toFixed(1))
    .join(
      ", ",
    )}; generator and service share it. Requests of 50 events (JSON) over 32 connections, due on a schedule; latency runs from when a request was due.

| events/s | sent | accepted | other answers | p50 ms | p99 ms | generator late, ms | counting behind, s |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join("\n")}

Gave first: ${gave ?? "nothing, up to the last step"}. Recovery: ${recoveredS === undefined ? "not within five minutes" : `at the first rate again as before within ${recoveredS.toFixed(0)} s`}. Counts: ${wrong.length === 0 ? `all ${accepted} accepted events are counted once at every level` : wrong.slice(0, 20).join("; ")}; the books ${isBalanced ? "balance" : "do not balance"}.
`;
}

runProgram(
  new Command("npm run stress --")
    .description("raises the load until something gives, and shows the recovery with nothing lost")
    .option("--from <n>", "events a second of the first step", positive, 1_000)
    .option("--factor <n>", "from one step to the next", positive, 1.6)
    .option("--seconds <n>", "of a step", positive, 10)
    .option("--markdown <file>", "write the result here as a page")
    .action(main),
);
