// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { asTable, orOneLine, readService, shortTime, withRangeOptions, withReadOptions } from "../reading/read-service";
import { type ServiceAddress, serviceAddress } from "../reading/service-url";

interface Flags {
  type: string;
  start?: string;
  end?: string;
  limit: string;
  json?: boolean;
}

interface Top {
  start: string;
  end: string;
  eventType: string;
  videos: { videoId: string; count: number }[];
  completeThrough: string;
}

export function register(program: Command): void {
  const command = program
    .command("top")
    .description("the videos with the most events of one type")
    .option("--type <eventType>", "an event type, such as VIEW, LIKE or SHARE", "VIEW")
    .option("--limit <number>", "1 to 1000 videos", "10");
  withReadOptions(withRangeOptions(command)).action((flags: Flags, asked: Command) =>
    orOneLine(() => top(flags, serviceAddress(asked))),
  );
}

async function top({ type, start, end, limit, json }: Flags, service: ServiceAddress): Promise<void> {
  const { content, text } = await readService<Top>(service, "/v1/top", { eventType: type, start, end, limit });
  process.stdout.write(json === true ? `${text}\n` : shown(content));
}

function shown({ start, end, eventType, videos, completeThrough }: Top): string {
  const rows = videos.map(({ videoId, count }, place) => [place + 1, videoId, count]);
  const head = `${eventType} from ${shortTime(start)} to ${shortTime(end)}`;
  const table = rows.length === 0 ? "nothing was counted\n" : asTable(["", "video", "count"], rows);
  return `${head}\n${table}complete through ${completeThrough}\n`;
}
