import { type Command, InvalidArgumentError } from "commander";
import { MINUTE_MS, parseRfc3339 } from "../domain/event";
import { type BoundedResult, runBoundedStream } from "../pipelines/bounded/bounded-stream";
import { resolveConfig } from "./config";
import { boundedCounting } from "./deployment/bounded-counting";
import { openDeployment } from "./deployment/deployment";

interface StreamFlags {
  runner: "direct";
  from?: number;
  to?: number;
  json?: boolean;
}

/** Behind the last minute an archive can have (the year 9999). */
const END_OF_TIME_MS = Date.UTC(10_000, 0, 1);

export function register(program: Command): void {
  program
    .command("pipeline")
    .description("run a pipeline by itself")
    .command("stream")
    .description("count a range of the archive with the streaming graph, in one bounded run beside the service")
    .option("--runner <runner>", "where the pipeline runs: direct", runner, "direct")
    .option("--from <time>", "RFC 3339, a whole minute; default: the first there is", wholeMinute)
    .option("--to <time>", "RFC 3339, a whole minute, exclusive; default: behind the last there is", wholeMinute)
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON")
    .addHelpText("after", "\nRunning it twice, or while the service counts, changes nothing: counts are absolute.")
    .action(async ({ from, to, json }: StreamFlags, command: Command) => {
      const config = resolveConfig(command);
      const deployment = await openDeployment(config);
      try {
        const result = await runBoundedStream(deployment, {
          fromMs: from ?? 0,
          toMs: to ?? END_OF_TIME_MS,
          counting: boundedCounting(config),
        });
        process.stdout.write(json === true ? `${JSON.stringify(result)}\n` : `${shown(result)}\n`);
      } finally {
        await deployment.close();
      }
    });
}

function runner(name: string): "direct" {
  if (name === "direct") return name;
  const absent = name === "flink" || name === "dataflow";
  throw new InvalidArgumentError(
    `${absent ? `the runner ${name} is not built yet` : `there is no runner ${name}`}; direct is the one there is.`,
  );
}

function wholeMinute(text: string): number {
  const timeMs = parseRfc3339(text);
  if (timeMs === undefined) throw new InvalidArgumentError("an RFC 3339 time is wanted, such as 2026-11-21T10:00:00Z");
  if (timeMs % MINUTE_MS !== 0) throw new InvalidArgumentError("a whole minute is wanted");
  return timeMs;
}

function shown({ objects, events, minutes, deadLetters, elapsedMs }: BoundedResult): string {
  const damaged = deadLetters === 0 ? "" : `, ${deadLetters} damaged objects (see viewmill dead-letters list)`;
  return `counted ${events} events of ${minutes} minutes from ${objects} objects in ${(elapsedMs / 1000).toFixed(1)} s${damaged}`;
}
