// SPDX-License-Identifier: Apache-2.0
/**
 * Requests to a running service, for the commands that show what it counts (`counts`, `top`, `ledger`, `keys` and
 * others), and the table in which they print the answer.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { type Command, Option } from "commander";
import { type ServiceAddress, withServiceOptions } from "./service-url";

const DEADLINE_MS = 30_000;
const MAX_REDIRECTS = 5;

/** Thrown with one line when the service is away, or refuses. */
class ReadError extends Error {
  override readonly name = "ReadError";
}

/** Adds the options that name the service, and --json. */
export function withReadOptions(command: Command): Command {
  return withServiceOptions(command).addOption(new Option("--json", "print the service's answer as JSON"));
}

export function withRangeOptions(command: Command): Command {
  return command
    .option("--start <time>", "RFC 3339, inclusive; default: 24 hours before the end")
    .option("--end <time>", "RFC 3339, exclusive; default: now");
}

/**
 * Reads `path` from the service, without undefined parameters. Returns the answer and its text (only the text has
 * integers beyond 2^53 exactly). Throws ReadError.
 */
export async function readService<Content>(
  { url, headers }: ServiceAddress,
  path: string,
  parameters: Record<string, string | undefined>,
): Promise<{ content: Content; text: string }> {
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const target = baseOf(url);
  const query = new URLSearchParams(given).toString();
  let status: number;
  let text: string;
  try {
    ({ status, text } = await get(
      target,
      `${target.pathname.replace(/\/$/, "")}${path}${query && `?${query}`}`,
      headers,
    ));
  } catch (error) {
    throw new ReadError(`cannot reach ${target.origin}: ${causeOf(error)} (is it running? npm start, or --url)`);
  }
  const content = parsed(text);
  if (status === 200 && content !== undefined) return { content: content as Content, text };
  const { detail } = (content ?? {}) as { detail?: unknown };
  throw new ReadError(
    typeof detail === "string" ? detail : `${target.origin} answered ${status}, not as a Viewmill service`,
  );
}

/** Runs a command's action. A ReadError becomes one line on stderr and exit status 1. */
export async function orOneLine(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    process.stderr.write(`viewmill: ${error.message}\n`);
    process.exitCode = 1;
  }
}

/**
 * Returns a table with columns as wide as their longest cell, numbers to the right. Rows are objects' values in the
 * order of `heads`.
 */
export function asTable(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [heads, ...rows.map((row) => row.map(String))];
  const widths = heads.map((_, column) => cells.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0));
  const numeric = heads.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd();
  return `${cells.map(line).join("\n")}\n`;
}

/** Shortens 2026-11-21T10:00:00.000Z to 2026-11-21 10:00Z. */
export function shortTime(time: string): string {
  return time.replace(/^(.{10})T(.{5}):00(?:\.000)?Z$/, "$1 $2Z");
}

function baseOf(url: string): URL {
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw new ReadError(`--url must be an http URL, not ${url}`);
  return new URL(url);
}

/** Returns a segment of a path that stands for exactly this text, `.` and `..` included. */
export const segment = (text: string): string =>
  encodeURIComponent(text).replace(/^\.{1,2}$/, (dots) => dots.replaceAll(".", "%2E"));

/**
 * Sends the path unchanged: fetch, and every parser of URLs by the WHATWG's rules, would drop the segments `%2E` and
 * `%2E%2E`.
 */
function get(
  origin: URL,
  path: string,
  sent: Readonly<Record<string, string>>,
  redirects = MAX_REDIRECTS,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = origin.protocol === "https:" ? httpsRequest : httpRequest;
    const { hostname, port, username, password } = origin;
    const options = {
      hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
      port,
      path,
      headers: sent,
      // A new connection, because the other side may have closed a kept one.
      agent: false,
      signal: AbortSignal.timeout(DEADLINE_MS),
      ...(username === "" ? {} : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
    };
    const onResponse = (response: IncomingMessage) => {
      const { statusCode: status = 0, headers } = response;
      if (headers.location !== undefined && [301, 302, 307, 308].includes(status) && redirects > 0) {
        response.resume();
        const { href, pathname, search } = new URL(headers.location, new URL(path, origin));
        const target = new URL(href);
        // The key is for the named service, and for no other service to which it redirects.
        resolve(get(target, `${pathname}${search}`, target.origin === origin.origin ? sent : {}, redirects - 1));
        return;
      }
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status, text: Buffer.concat(chunks).toString() }));
    };
    request(options, onResponse).on("error", reject).end();
  });
}

function causeOf(error: unknown): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === "TimeoutError" || name === "AbortError") return `no answer within ${DEADLINE_MS / 1000} s`;
  return code ?? message;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
