// SPDX-License-Identifier: Apache-2.0
import { type Command, Option } from "commander";
import { idArgument } from "../arguments/id-argument";
import {
  asTable,
  orOneLine,
  readService,
  segment,
  shortTime,
  withRangeOptions,
  withReadOptions,
} from "../reading/read-service";
import { type ServiceAddress, serviceAddress } from "../reading/service-url";

interface Flags {
  type: string;
  start?: string;
  end?: string;
  granularity?: string;
  tz?: string;
  json?: boolean;
}

interface Counts {
  videoId: string;
  eventType: string;
  start: string;
  end: string;
  granularity: string;
  count: number;
  buckets: { start: string; count: number; state: string }[];
  completeThrough: string;
}

export function register(program: Command): void {
  const command = idArgument(program.command("counts"), "<video>", "videoId; one that begins with -- goes behind --")
    .description("how often something happened to a video, over time")
    .option("--type <eventType>", "VIEW, LIKE, SHARE or any other", "VIEW");
  withReadOptions(withRangeOptions(command))
    .addOption(
      new Option("--granularity <unit>", "default: the finest that gives at most 1,500 buckets").choices([
        "minute",
        "hour",
        "day",
        "week",
        "month",
      ]),
    )
    .option("--tz <zone>", "time zone of days, weeks and months, such as Europe/Berlin; default: UTC")
    .action((video: string, flags: Flags, asked: Command) =>
      orOneLine(() => counts(video, flags, serviceAddress(asked))),
    );
}

async function counts(
  video: string,
  { type, start, end, granularity, tz, json }: Flags,
  service: ServiceAddress,
): Promise<void> {
  const parameters = { eventType: type, start, end, granularity, tz };
  const path = `/v1/videos/${segment(video)}/counts`;
  const { content, text } = await readService<Counts>(service, path, parameters);
  process.stdout.write(json === true ? `${text}\n` : shown(content));
}

/** Leaves out buckets without events. */
function shown({ videoId, eventType, start, end, granularity, count, buckets, completeThrough }: Counts): string {
  const rows = buckets
    .filter((bucket) => bucket.count > 0)
    .map((bucket) => [shortTime(bucket.start), bucket.count, bucket.state]);
  const head = `${videoId} ${eventType}: ${count} from ${shortTime(start)} to ${shortTime(end)}`;
  const table = rows.length === 0 ? "" : asTable([granularity, "count", "state"], rows);
  return `${head}\n${table}complete through ${completeThrough}\n`;
}
