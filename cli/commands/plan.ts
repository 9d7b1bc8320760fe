// SPDX-License-Identifier: Apache-2.0
import { type Command, InvalidArgumentError } from "commander";
import { COEFFICIENTS, type CoefficientName, type Coefficients } from "../../plan/coefficients";
import { type Cost, costOf } from "../../plan/cost";
import { PRICES, type PriceName, type Prices } from "../../plan/prices";
import { type Simulation, simulate } from "../../plan/simulation";
import { type Sizing, sizingOf } from "../../plan/sizing";
import { DEFAULT_WORKLOAD, type Workload, workloadOf } from "../../plan/workload";
import { refuseFlags } from "../arguments/inapplicable-flags";
import { asTable } from "../reading/read-service";

interface Flags {
  eventsPerSecond: number;
  videos: number;
  zipf?: number;
  hot?: number;
  videoIdBytes?: number;
  form?: Workload["form"];
  batch?: number;
  duplicates?: number;
  late?: number;
  lateMinutes?: number;
  latenessMinutes?: number;
  rawDays?: number;
  minuteDays?: number;
  hourDays?: number;
  log?: Workload["log"];
  runner?: Workload["runner"];
  direct?: boolean;
  utilization?: number;
  price: Record<string, number>;
  assume: Record<string, number>;
  explain?: boolean;
  prices?: boolean;
  simulate?: boolean;
  simulatedEvents: number;
  seed: number;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command("plan")
    .description("what a load needs and costs: partitions, shuffles, cores, Bigtable nodes, objects, dollars")
    .requiredOption("--events-per-second <rate>", "of the whole service", number)
    .requiredOption("--videos <count>", "that may get events", number)
    .option("--zipf <exponent>", `of events over videos, 0: all alike (default ${DEFAULT_WORKLOAD.zipf})`, number)
    .option("--hot <share>", "of the events on one video, on top (default 0)", number)
    .option("--video-id-bytes <bytes>", `(default ${DEFAULT_WORKLOAD.videoIdBytes})`, number)
    .option(
      "--form <form>",
      "of messages: batch (Avro), array (JSON), single (JSON)",
      oneOf("batch", "array", "single"),
    )
    .option("--batch <events>", "in a message (default 500; single: 1)", number)
    .option("--duplicates <share>", `of the events (default ${DEFAULT_WORKLOAD.duplicateShare})`, number)
    .option("--late <share>", "of the events that come after their minute (default 0)", number)
    .option("--late-minutes <minutes>", `over which they come (default ${DEFAULT_WORKLOAD.lateMinutes})`, number)
    .option(
      "--lateness-minutes <minutes>",
      `lateness.finalAfterMinutes (default ${DEFAULT_WORKLOAD.latenessMinutes})`,
      number,
    )
    .option("--raw-days <days>", `retention.rawDays (default ${DEFAULT_WORKLOAD.rawDays})`, number)
    .option("--minute-days <days>", "retention.minuteDays (default: rawDays, the lateness and a day)", number)
    .option("--hour-days <days>", `retention.hourDays (default ${DEFAULT_WORKLOAD.hourDays}, or minuteDays)`, number)
    .option("--log <kind>", "pubsub or kafka (default pubsub)", oneOf("pubsub", "kafka"))
    .option("--runner <runner>", "dataflow or flink (default dataflow)", oneOf("dataflow", "flink"))
    .option("--direct", "producers publish to the topic themselves")
    .option("--utilization <share>", `of cores and nodes (default ${DEFAULT_WORKLOAD.utilization})`, number)
    .option("--price <name=dollars>", "another price, any number of times; see --prices", pair, {})
    .option("--assume <name=value>", "another coefficient, any number of times; see --explain", pair, {})
    .option("--explain", "each line's formula, and the source of every coefficient")
    .option("--prices", "the price list with its sources")
    .option("--simulate", "one minute through the real partitioner, panes and count blocks: how even the load is")
    .option("--simulated-events <count>", "made at most", number, 2_000_000)
    .option("--seed <number>", "of the simulation", number, 1)
    .option("--json", "as JSON")
    .action((flags: Flags, command: Command) => {
      if (flags.simulate !== true) refuseFlags(command, ["simulatedEvents", "seed"], "they are of --simulate");
      if (flags.json === true)
        refuseFlags(command, ["explain", "prices"], "--json has every formula, source and price already");
      try {
        process.stdout.write(planned(flags));
      } catch (error) {
        if (!(error instanceof Error) || !["WorkloadError", "RangeError"].includes(error.name)) throw error;
        command.error(`viewmill: ${error.message}`, { exitCode: 1 });
      }
    });
}

function planned(flags: Flags): string {
  const workload = workloadOf(given(flags));
  const coefficients = assumed(flags.assume);
  const prices = priced(flags.price);
  const sizing = sizingOf(workload, coefficients);
  const cost = costOf(workload, sizing, prices);
  const { seed, simulatedEvents: maxEvents } = flags;
  const simulation = flags.simulate === true ? simulate(workload, sizing, { maxEvents, seed }) : undefined;
  if (flags.json === true) {
    const { lines, warnings } = sizing;
    return `${JSON.stringify({ workload, lines, warnings, cost, prices, coefficients, simulation }, undefined, 2)}\n`;
  }
  const parts = [sizingText(sizing, flags.explain === true), costText(cost, flags.explain === true)];
  if (simulation !== undefined) parts.push(simulationText(simulation, sizing));
  if (flags.explain === true) parts.push(sourcesText(sizing, coefficients));
  if (flags.prices === true) parts.push(pricesText(prices));
  return parts.join("\n");
}

function given(flags: Flags): Partial<Workload> {
  const single = flags.form === "single" ? 1 : undefined;
  const all = {
    eventsPerSecond: flags.eventsPerSecond,
    videos: flags.videos,
    zipf: flags.zipf,
    hotShare: flags.hot,
    videoIdBytes: flags.videoIdBytes,
    form: flags.form,
    batchEvents: flags.batch ?? single,
    duplicateShare: flags.duplicates,
    lateShare: flags.late,
    lateMinutes: flags.lateMinutes,
    latenessMinutes: flags.latenessMinutes,
    rawDays: flags.rawDays,
    minuteDays: flags.minuteDays,
    hourDays: flags.hourDays,
    log: flags.log,
    runner: flags.runner,
    direct: flags.direct,
    utilization: flags.utilization,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Partial<Workload>;
}

function assumed(other: Record<string, number>): Coefficients {
  const all: Record<CoefficientName, Coefficients[CoefficientName]> = { ...COEFFICIENTS };
  for (const [name, value] of Object.entries(other)) {
    if (!Object.hasOwn(all, name))
      throw new RangeError(`there is no coefficient "${name}": ${Object.keys(all).join(", ")}`);
    if (!(value > 0)) throw new RangeError(`coefficient ${name} must be above 0`);
    const { unit } = all[name as CoefficientName];
    all[name as CoefficientName] = { value, unit, source: "--assume", kind: "assumed" };
  }
  return all;
}

function priced(other: Record<string, number>): Prices {
  const all: Record<PriceName, Prices[PriceName]> = { ...PRICES };
  for (const [name, usd] of Object.entries(other)) {
    if (!Object.hasOwn(all, name)) throw new RangeError(`there is no price "${name}": ${Object.keys(all).join(", ")}`);
    if (!(usd >= 0)) throw new RangeError(`price ${name} must not be below 0`);
    all[name as PriceName] = { usd, per: all[name as PriceName]?.per ?? "", url: "", read: "--price" };
  }
  return all;
}

const INDENT = "      ";

function sizingText({ lines, warnings }: Sizing, explain: boolean): string {
  let text = "";
  for (const group of new Set(lines.map((line) => line.group))) {
    const rows = lines.filter((line) => line.group === group);
    text += `${group}\n`;
    for (const { name, value, unit, formula, uses } of rows) {
      text += `  ${name.padEnd(32)} ${shown(value, unit).padStart(22)}\n`;
      if (explain) text += `${INDENT}= ${formula}${uses.length > 0 ? ` [${uses.join(", ")}]` : ""}\n`;
    }
  }
  for (const warning of warnings) text += `! ${warning}\n`;
  return text;
}

function costText({ lines, missing, ...totals }: Cost, explain: boolean): string {
  let text = "cost by list prices, dollars a month\n";
  for (const { name, usdPerMonth, formula, uses } of lines) {
    const price = usdPerMonth === undefined ? `needs --price ${uses[0]}` : dollars(usdPerMonth);
    text += `  ${name.padEnd(32)} ${price.padStart(22)}\n`;
    if (explain) text += `${INDENT}= ${formula} [${uses.join(", ")}]\n`;
  }
  text += `  ${"all of these".padEnd(32)} ${dollars(totals.usdPerMonth).padStart(22)}\n`;
  text += `  ${"a billion events".padEnd(32)} ${dollars(totals.usdPerBillionEvents).padStart(22)}\n`;
  text += `  ${"a billion events, at most".padEnd(32)} ${dollars(totals.usdPerBillionEventsAtMost).padStart(22)}\n`;
  if (missing.length > 0) text += `! not in the sums, no list price is known: ${missing.join(", ")}\n`;
  return text;
}

function simulationText(found: Simulation, { parts }: Sizing): string {
  const rows: [string, string][] = [
    ["events made, panes filled", `${count(found.events)}, ${found.panes} of ${parts.partitions}`],
    [
      "busiest dedup partition / mean",
      `${found.busiestPartition.toFixed(3)} (chance: ${found.expectedBusiestPartition.toFixed(3)})`,
    ],
    ["  in a whole minute, by chance", found.expectedBusiestOfMinute.toFixed(4)],
    ["  were it by video", found.busiestPartitionByVideo.toFixed(1)],
    ["busiest video shard / mean, bytes", found.busiestShardBytes.toFixed(3)],
    ["hottest video", `${(found.hottestShare * 100).toFixed(2)} % of events`],
    ["  its cells in a pane", found.hottestCellsPerPane.toFixed(1)],
    ["  rows of it written a minute", parts.firings.toFixed(1)],
    ["cells of a pane", count(found.cellsPerPane)],
    [
      "shuffle 1",
      `${shown(found.blockBytesPerSecond, "bytes/s")} (formula ${shown(parts.bytes.blockBytes, "bytes/s")})`,
    ],
    [
      "shuffle 2",
      `${shown(found.countBytesPerSecond, "bytes/s")} (formula ${shown(parts.bytes.countBytes, "bytes/s")})`,
    ],
  ];
  return `simulation\n${rows.map(([name, value]) => `  ${name.padEnd(34)} ${value}`).join("\n")}\n`;
}

function sourcesText({ lines }: Sizing, coefficients: Coefficients): string {
  const used = [...new Set(lines.flatMap(({ uses }) => uses))].sort();
  const rows = used.map((name) => {
    const { value, unit, kind, source } = coefficients[name];
    return [name, Number(value.toPrecision(4)), unit, kind, source];
  });
  return `coefficients\n${asTable(["name", "value", "unit", "kind", "source"], rows)}`;
}

function pricesText(prices: Prices): string {
  const rows = Object.entries(prices).map(([name, price]) =>
    price === undefined
      ? [name, "?", "give it by --price", "", ""]
      : [name, price.usd, price.per, price.url, price.read],
  );
  return `prices\n${asTable(["name", "dollars", "per", "page", "read"], rows)}`;
}

const count = (value: number): string => Math.round(value).toLocaleString("en-US");
const dollars = (value: number): string =>
  `$${value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 })}`;

const STEPS = ["", "k", "M", "G", "T", "P"];

function shown(value: number, unit: string): string {
  let [step, rest] = [0, value];
  while (rest >= 10_000 && step < STEPS.length - 1) {
    rest /= 1_000;
    step++;
  }
  const digits = rest >= 100 || Number.isInteger(rest) ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toLocaleString("en-US", { maximumFractionDigits: digits })}${STEPS[step]} ${unit}`;
}

function number(text: string): number {
  const value = Number(text.replace(/_/g, ""));
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("a number is needed.");
  return value;
}

const oneOf =
  <T extends string>(...choices: T[]) =>
  (text: string): T => {
    const found = choices.find((each) => each === text);
    if (found === undefined) throw new InvalidArgumentError(`one of ${choices.join(", ")}.`);
    return found;
  };

function pair(text: string, before: Record<string, number>): Record<string, number> {
  const [, name, value] = /^([A-Za-z]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("name=number is needed.");
  return { ...before, [name]: number(value) };
}
