// SPDX-License-Identifier: Apache-2.0
/**
 * Golden scripts: what is sent, when the stream makes a pass, and what must be counted in the end, as text that people
 * read.
 *
 *     day 2026-11-21                            times below are of this day; 2026-12-31T23:59:59 is one of another
 *     allow lateness 1h                         otherwise no event is late
 *     send at 10:00:05                          one message received then; an indented line is an event:
 *       e1  v1  VIEW  10:00:01                  id, video, type, time (`-`: none); a word in "..." is JSON, `~` is a
 *                                               missing field
 *       e2  v1  VIEW  10:00:02  value 500
 *       e3  v1  view  10:00:02  -> bad-event-type     refused: a dead letter with this reason
 *       *9 e v1 VIEW 10:00:02                   nine events e-1 to e-9
 *     smuggle at 10:00:06                       as send, but what breaks the contract is in the log all the same
 *     message unknown-schema at 10:00:07        bytes in the log that are no batch; or not-avro, not-json
 *     replay at 12:00:00                        dead letters are sent again, and received then; an indented line is an
 *                                               event's id
 *       e3
 *     pass                                      the stream takes what has come
 *     audit                                     the strong audit, with repair (scripts of audited/)
 *     tier                                      days before that of the last receipt go to roll-ups (scripts of
 *                                               tiered/)
 *     backfill                                  a file is backfilled, and its minutes are audited; an indented line is
 *                                               an event
 *     away                                      the stream stops: passes do nothing until it is
 *     back                                      with no memory but what is stored
 *     audit 10:00 to 12:00                      when all is counted, an audit with repair; what is below is what it
 *                                               leaves
 *     cells                                     every minute cell there must be: minute video type count [sum n [valued
 *                                               n]] last time
 *       10:00  v1  VIEW  2  sum 500  last 10:00:02
 *     hours, days, totals                       where they are worth reading; otherwise they must be the sums of the
 *                                               cells
 *     ledger
 *       10:00  accepted 2  counted 2  [duplicate n] [late n] [reused n]      archived = accepted
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { minuteOf, parseRfc3339 } from "../../../domain/event";
import { REJECTION_REASONS, type RejectionReason } from "../../../domain/rejection";

interface SentEvent {
  raw: Record<string, unknown>;
  refused?: RejectionReason;
}

type UndecodableReason = "unknown-schema" | "not-avro" | "not-json";

export type Step =
  | { kind: "send"; receivedAtMs: number; checked: boolean; events: SentEvent[] }
  | { kind: "message"; receivedAtMs: number; reason: UndecodableReason }
  | { kind: "replay"; receivedAtMs: number; eventIds: string[] }
  | { kind: "pass" }
  | { kind: "away" }
  | { kind: "back" };

/** What is done beside the stream; `nowMs`: the last receipt. */
export type AsideStep = { kind: "tier"; nowMs: number } | { kind: "backfill"; events: SentEvent[] };

/** Half-open, whole minutes. */
interface AuditedRange {
  fromMs: number;
  toMs: number;
}

interface GoldenCell {
  count: number;
  sum: bigint;
  /** Events that have a value. */
  valued: number;
  lastMs: number;
}

export interface LedgerRow {
  accepted: number;
  archived: number;
  counted: number;
  duplicate: number;
  late: number;
  reused: number;
}

/** `<start> <video> <type>` -> cell; the start is epoch milliseconds, or `total`. */
export type GoldenCells = Map<string, GoldenCell>;

export interface GoldenScript {
  name: string;
  allowedLatenessMs: number;
  steps: Step[];
  /** After how many steps an audit runs. */
  audits?: number[];
  /** What is done after how many steps, behind the audits there. */
  asides?: { after: number; step: AsideStep }[];
  /** Audits that are done one after the other when everything is counted. */
  closingAudits: AuditedRange[];
  minutes: GoldenCells;
  /** Cells of other levels that the script names, by level. */
  named: { level: "hours" | "days" | "totals"; cells: GoldenCells }[];
  ledger: Map<number, LedgerRow>;
  /** `reason eventId`, sorted. */
  deadLetters: string[];
  /** For several scripts as one: the name of the script that a time belongs to. */
  scriptAt?: (timeMs: number) => string;
}

const FOLDERS = join(__dirname, "..", "..", "..", "..", "test", "system", "golden");

export const goldenScripts = (edited = (_name: string, text: string): string => text): GoldenScript[] =>
  scriptsOf("scripts", edited);

/** Scripts whose late events audits count. */
export const auditedScripts = (): GoldenScript[] => scriptsOf("audited", (_name, text) => text);

/**
 * Scripts whose days leave for roll-ups. Roll-ups have no last times: the scripts name them, and nobody compares them.
 */
export const tieredScripts = (edited = (_name: string, text: string): string => text): GoldenScript[] =>
  scriptsOf("tiered", edited);

const scriptsOf = (folder: string, edited: (name: string, text: string) => string): GoldenScript[] =>
  readdirSync(join(FOLDERS, folder))
    .filter((file) => file.endsWith(".golden"))
    .sort()
    .map((file) => {
      const name = file.replace(".golden", "");
      return parseScript(name, edited(name, readFileSync(join(FOLDERS, folder, file), "utf8")));
    });

const UNDECODABLE: readonly UndecodableReason[] = ["unknown-schema", "not-avro", "not-json"];

type Section =
  | "cells"
  | "hours"
  | "days"
  | "totals"
  | "ledger"
  | Extract<Step, { kind: "send" | "replay" }>
  | Extract<AsideStep, { kind: "backfill" }>;

/** Throws an Error naming script and line for anything it does not understand. */
export function parseScript(name: string, text: string): GoldenScript {
  const script: GoldenScript = {
    name,
    allowedLatenessMs: -1,
    steps: [],
    closingAudits: [],
    minutes: new Map(),
    named: [],
    ledger: new Map(),
    deadLetters: [],
  };
  const reader = new ScriptReader(script);
  text.split("\n").forEach((line, index) => {
    try {
      reader.line(line.replace(/(^|\s)#.*$/, "").trimEnd());
    } catch (error) {
      throw new Error(`${name}.golden:${index + 1}: ${(error as Error).message}`);
    }
  });
  script.deadLetters.sort();
  return script;
}

class ScriptReader {
  private day = "";
  private section: Section | undefined;

  constructor(private readonly script: GoldenScript) {}

  line(line: string): void {
    if (line === "") return;
    const words = line.match(/"(?:[^"\\]|\\.)*"|\{.*?\}|\S+/g) ?? [];
    if (!line.startsWith(" ")) this.section = this.heading(words);
    else if (this.section === undefined) throw new Error("an indented line without a heading");
    else if (this.section === "ledger") this.ledgerRow(words);
    else if (typeof this.section === "string") this.cell(this.section, words);
    else if (this.section.kind === "replay") this.section.eventIds.push(words[0]!);
    else this.events(this.section, words);
  }

  private heading(words: string[]): Section | undefined {
    const [first, second, third, fourth] = words as [string, ...(string | undefined)[]];
    if (first === "day") this.day = second ?? "";
    else if (first === "allow") this.script.allowedLatenessMs = hours(third);
    else if (first === "pass" || first === "away" || first === "back") this.script.steps.push({ kind: first });
    else if (first === "audit") this.audit(second, fourth);
    else if (first === "tier") this.aside({ kind: "tier", nowMs: this.lastReceipt() });
    else if (first === "backfill") return this.aside({ kind: "backfill" as const, events: [] });
    else if (first === "replay") {
      const replay = { kind: "replay" as const, receivedAtMs: this.time(third), eventIds: [] };
      this.script.steps.push(replay);
      return replay;
    } else if (first === "send" || first === "smuggle") {
      const receivedAtMs = this.time(third);
      const send = { kind: "send" as const, receivedAtMs, checked: first === "send", events: [] };
      this.script.steps.push(send);
      return send;
    } else if (first === "message" && UNDECODABLE.some((each) => each === second)) {
      this.script.steps.push({ kind: "message", reason: second as UndecodableReason, receivedAtMs: this.time(fourth) });
      this.script.deadLetters.push(`${second} -`);
    } else if (first === "cells" || first === "ledger") return first;
    else if (first === "hours" || first === "days" || first === "totals") {
      this.script.named.push({ level: first, cells: new Map() });
      return first;
    } else throw new Error(`"${words.join(" ")}" is no heading`);
    return undefined;
  }

  private aside<Aside extends AsideStep>(step: Aside): Aside {
    this.script.asides = [...(this.script.asides ?? []), { after: this.script.steps.length, step }];
    return step;
  }

  private lastReceipt(): number {
    return Math.max(...this.script.steps.map((step) => ("receivedAtMs" in step ? step.receivedAtMs : 0)));
  }

  private audit(from: string | undefined, to: string | undefined): void {
    if (from === undefined) this.script.audits = [...(this.script.audits ?? []), this.script.steps.length];
    else this.script.closingAudits.push({ fromMs: this.time(from), toMs: this.time(to) });
  }

  private events({ events }: { events: SentEvent[] }, words: string[]): void {
    const times = words[0]!.startsWith("*") ? Number(words.shift()!.slice(1)) : 0;
    const [id, video, type, time, ...rest] = words as [string, string, string, string, ...string[]];
    const raw: Record<string, unknown> = {};
    if (id !== "~") raw.eventId = word(id);
    if (video !== "~") raw.videoId = word(video);
    if (type !== "~") raw.eventType = word(type);
    if (time !== "-") raw.eventTime = CLOCK.test(time) ? new Date(this.time(time)).toISOString() : word(time);
    const event: SentEvent = { raw };
    for (let i = 0; i < rest.length; i += 2) {
      const [key, value] = [rest[i]!, rest[i + 1] ?? ""];
      if (key === "->") event.refused = refusal(value);
      else raw[key] = JSON.parse(value);
    }
    if (event.refused !== undefined) {
      this.script.deadLetters.push(`${event.refused} ${typeof raw.eventId === "string" ? raw.eventId : "-"}`);
    }
    if (times === 0) events.push(event);
    for (let n = 1; n <= times; n++) events.push({ ...event, raw: { ...raw, eventId: `${raw.eventId}-${n}` } });
  }

  private cell(level: "cells" | "hours" | "days" | "totals", words: string[]): void {
    const named = this.script.named[this.script.named.length - 1];
    const into = level === "cells" ? this.script.minutes : named!.cells;
    const start = level === "totals" ? "total" : String(this.time(words.shift()));
    const [video, type, count, ...rest] = words;
    const facts = new Map<string, string>();
    for (let i = 0; i < rest.length; i += 2) facts.set(rest[i]!, rest[i + 1] ?? "");
    const last = facts.get("last");
    const lastMs = last === undefined ? Number.NaN : this.time(last);
    const sum = facts.get("sum");
    // A cell with a sum and no word on it has a value in every event.
    const valued = Number(facts.get("valued") ?? (sum === undefined ? 0 : count));
    into.set(`${start} ${video} ${type}`, { count: Number(count), sum: BigInt(sum ?? 0), valued, lastMs });
  }

  private ledgerRow([time, ...rest]: string[]): void {
    const row: LedgerRow = { accepted: 0, archived: 0, counted: 0, duplicate: 0, late: 0, reused: 0 };
    for (let i = 0; i < rest.length; i += 2) {
      if (!(rest[i]! in row)) throw new Error(`the ledger has no "${rest[i]}"`);
      row[rest[i] as keyof LedgerRow] = Number(rest[i + 1]);
    }
    this.script.ledger.set(minuteOf(this.time(time)), { ...row, archived: row.accepted });
  }

  private time(text: string | undefined): number {
    const whole = text?.includes("T") ? text : `${this.day}T${text}`;
    const seconds = /T\d\d:\d\d$/.test(whole) ? `${whole}:00Z` : `${whole}Z`;
    const timeMs = parseRfc3339(seconds);
    if (timeMs === undefined) throw new Error(`"${text}" is no time`);
    return timeMs;
  }
}

const CLOCK = /^(\d{4}-\d\d-\d\dT)?\d\d:\d\d(:\d\d(\.\d+)?)?$/;

const word = (text: string): unknown => (text.startsWith('"') ? JSON.parse(text) : text);

function refusal(text: string): RejectionReason {
  const reason = REJECTION_REASONS.find((each) => each === text);
  if (reason === undefined) throw new Error(`"${text}" is no reason`);
  return reason;
}

function hours(text: string | undefined): number {
  const [, n, unit] = /^(\d+)(h|m|s)$/.exec(text ?? "") ?? [];
  if (n === undefined) throw new Error(`"${text}" is no lateness`);
  return Number(n) * (unit === "h" ? 3_600_000 : unit === "m" ? 60_000 : 1000);
}
