// SPDX-License-Identifier: Apache-2.0
import { createReadStream } from "node:fs";
import { SingleBar } from "cli-progress";
import { type Command, InvalidArgumentError } from "commander";
import { lineBlocks } from "../../intake/line-blocks";
import { fileSizeBytes } from "../arguments/input-file";
import { positiveInteger } from "../arguments/whole-number";
import { keyHeaders, withKeyOption } from "../reading/service-key";
import { LineSender } from "../sending/line-sender";
import { RejectFile } from "../sending/reject-file";

export const DEFAULT_URL = "http://127.0.0.1:8080";
/** The lines of one request, below the contract's 10,000 so that a request stays short. */
const MAX_LINES = 5000;
const MAX_LINE_BYTES = 4 << 20;
const CHUNK_BYTES = 512 << 10;

interface SendFlags {
  url: string;
  rejects?: string;
  inFlight: number;
  json?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command("send")
    .description("send NDJSON events, one a line, from a file or standard input (-)")
    .argument("<file>", "NDJSON file, or - for standard input")
    .option("--url <url>", "the service", httpUrl, DEFAULT_URL);
  withKeyOption(command)
    .option("--rejects <file>", "where lines that were not accepted go (default: rejected-<time>.ndjson)")
    .option("--in-flight <n>", "requests on their way at once", positiveInteger, 4)
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExit status: 0 every event was accepted, 1 some were not (they are in the reject file).")
    .action(async (file: string, flags: SendFlags, command: Command) => {
      process.exitCode = await send(file, flags, keyHeaders(command));
    });
}

async function send(file: string, flags: SendFlags, headers: Readonly<Record<string, string>>): Promise<number> {
  const sizeBytes = file === "-" ? 0 : fileSizeBytes(file);
  const input: AsyncIterable<Buffer> =
    file === "-" ? process.stdin : createReadStream(file, { highWaterMark: CHUNK_BYTES });
  const rejects = new RejectFile(
    flags.rejects ?? `rejected-${new Date().toISOString().replaceAll(/[:.]/g, "-")}.ndjson`,
  );
  const sender = new LineSender({
    url: flags.url,
    headers,
    maxInFlight: flags.inFlight,
    onRejected: (line) => rejects.write(line),
  });
  const progress = progressBar(sizeBytes);
  const startedMs = performance.now();
  try {
    let sentBytes = 0;
    for await (const block of lineBlocks(input, { maxLines: MAX_LINES, maxLineBytes: MAX_LINE_BYTES })) {
      if ("oversize" in block) {
        const detail = `the line is longer than ${MAX_LINE_BYTES} bytes; only its beginning is kept here`;
        sender.reject({ number: block.firstLine, bytes: block.oversize, reason: "too-large", detail });
        continue;
      }
      await sender.send(block);
      sentBytes += block.bytes.length;
      progress?.update(sentBytes, { accepted: sender.accepted, rejected: sender.rejected });
    }
    await sender.finish();
    progress?.update(sentBytes, { accepted: sender.accepted, rejected: sender.rejected });
  } finally {
    progress?.stop();
    rejects.close();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  report(sender, rejects, seconds, flags.json === true);
  return sender.rejected === 0 ? 0 : 1;
}

function report({ accepted, rejected }: LineSender, rejects: RejectFile, seconds: number, json: boolean): void {
  const eventsPerSecond = Math.round((accepted + rejected) / Math.max(seconds, 0.001));
  const rejectFile = rejects.written ? rejects.path : null;
  if (json) {
    const result = { accepted, rejected, rejectFile, seconds: Number(seconds.toFixed(3)), eventsPerSecond };
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  process.stdout.write(
    `accepted ${accepted}, rejected ${rejected} in ${seconds.toFixed(1)} s (${eventsPerSecond}/s)\n`,
  );
  if (rejectFile !== null) process.stdout.write(`not accepted, with their reasons: ${rejectFile}\n`);
}

/** Returns a bar on a terminal only. Standard input has no length, so its bar shows counts. */
function progressBar(totalBytes: number): SingleBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  const counts = "{accepted} accepted, {rejected} rejected, {duration_formatted}";
  const bar = new SingleBar({
    format: totalBytes > 0 ? `sending {bar} {percentage}% | ${counts}` : `sending ${counts}`,
    stream: process.stderr,
    hideCursor: true,
  });
  bar.start(totalBytes, 0, { accepted: 0, rejected: 0 });
  return bar;
}

export function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError("an http(s) URL is wanted, such as http://127.0.0.1:8080");
  }
  return text;
}
