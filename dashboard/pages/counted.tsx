// SPDX-License-Identifier: Apache-2.0
/**
 * What was counted of a video or a channel: totals that tick, the last hour and two days, and any range. The pages of a
 * video and of a channel show it.
 */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import type { AggregateFunction, Bucket, Granularity, Query, Stats, Totals } from "../api";
import { type Bar, BarChart } from "../chart";
import { type Exact, fraction, moment, whole } from "../format";
import { Meaning } from "../meaning";
import { askAnew } from "../place";
import { isZone, OWN_ZONE, timeOf, wallClock, ZONES } from "../time-zone";
import { useAnswer } from "../use-answer";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const BUCKET_MS: Readonly<Record<Granularity, number>> = {
  minute: MINUTE_MS,
  hour: HOUR_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 30 * DAY_MS,
};
const FUNCTIONS: readonly AggregateFunction[] = ["COUNT", "SUM", "AVERAGE"];
/** The types that are offered before anything is known of a video. */
const USUAL_TYPES = ["VIEW", "LIKE", "SHARE"];

/** A video or a channel: how it is asked for, and where its page is. */
export interface Subject {
  id: string;
  address: string;
  stats: (query: Query) => Promise<Stats>;
}

interface Props {
  subject: Subject;
  totals: Totals | undefined;
  /** What the address asks for. */
  asked: URLSearchParams;
  /** Of the type that is chosen. */
  children?: (eventType: string) => ComponentChildren;
}

export function Counted({ subject, totals, asked, children }: Props) {
  const [eventType, setEventType] = useState(asked.get("eventType") ?? "VIEW");
  const recent = useAnswer(() => recentStats(subject, eventType), 2_000, `${subject.address} ${eventType}`);
  return (
    <>
      <TotalTabs totals={totals} eventType={eventType} choose={setEventType} />
      {recent.problem !== undefined && <p class="problem">{recent.problem}</p>}
      <section class="panel">
        <BarChart
          title={`${eventType} by minute, 60 minutes: ${sumText(recent.value?.minutes)}`}
          bars={recent.value === undefined ? [] : barsOf(recent.value.minutes.buckets)}
          bucketMs={MINUTE_MS}
        />
      </section>
      <section class="panel">
        <BarChart
          title={`${eventType} by hour, 48 hours: ${sumText(recent.value?.hours)}`}
          bars={recent.value === undefined ? [] : barsOf(recent.value.hours.buckets)}
          bucketMs={HOUR_MS}
        />
        <Legend />
      </section>
      {children?.(eventType)}
      <RangePanel subject={subject} eventType={eventType} given={asked} />
    </>
  );
}

function TotalTabs(props: { totals: Totals | undefined; eventType: string; choose: (type: string) => void }) {
  const { totals = {}, eventType, choose } = props;
  const types = [...new Set([...USUAL_TYPES, ...Object.keys(totals).sort(), eventType])];
  return (
    <fieldset class="cards">
      <legend>Total by event type</legend>
      {types.map((type) => (
        <button type="button" key={type} class="card" aria-pressed={type === eventType} onClick={() => choose(type)}>
          <span class="label">{type}</span>
          <span class="value" data-total={type}>
            {whole(totals[type]?.count ?? 0)}
          </span>
          <span class="quiet">{totals[type] === undefined ? "never" : `last ${moment(totals[type].lastEventAt)}`}</span>
        </button>
      ))}
    </fieldset>
  );
}

async function recentStats({ stats }: Subject, eventType: string): Promise<{ minutes: Stats; hours: Stats }> {
  const now = Date.now();
  const asked = { eventType, function: "COUNT" };
  const from = (lengthMs: number, bucketMs: number) =>
    new Date((Math.floor(now / bucketMs) + 1) * bucketMs - lengthMs).toISOString();
  const [minutes, hours] = await Promise.all([
    stats({ ...asked, start: from(HOUR_MS, MINUTE_MS), granularity: "minute" }),
    stats({ ...asked, start: from(48 * HOUR_MS, HOUR_MS), granularity: "hour" }),
  ]);
  return { minutes, hours };
}

const barsOf = (buckets: readonly Bucket[]): Bar[] =>
  buckets.map(({ start, value, state, revision }) => ({
    startMs: Date.parse(start),
    value,
    state,
    ...(revision === undefined ? {} : { revision }),
  }));

const valueText = (value: Exact | null): string =>
  value === null
    ? "none has a value"
    : typeof value === "number" && !Number.isInteger(value)
      ? fraction(value)
      : whole(value);
const sumText = (stats: Stats | undefined): string => (stats === undefined ? "…" : valueText(stats.value));

function Legend() {
  return (
    <p class="legend">
      <Meaning of={<span class="swatch open" />}>provisional: may still grow</Meaning>
      <Meaning of={<span class="swatch" />}>final or audited</Meaning>
      <Meaning of={<span class="mark">▼</span>}>changed after it was final</Meaning>
    </p>
  );
}

interface RangeAsked {
  start: string;
  end: string;
  granularity: string;
  function: AggregateFunction;
  compare: boolean;
  /** The time zone of the range's ends, and of days, weeks and months. */
  tz: string;
}

/** What the address asks for; else the last seven days by hour. */
function askedOf(asked: URLSearchParams): RangeAsked {
  const named = asked.get("tz") ?? OWN_ZONE;
  const tz = isZone(named) ? named : OWN_ZONE;
  const end = asked.get("end") ?? wallClock(Math.ceil(Date.now() / HOUR_MS) * HOUR_MS, tz);
  const start = asked.get("start") ?? wallClock(timeOf(end, tz) - 7 * DAY_MS, tz);
  const found = FUNCTIONS.find((each) => each === asked.get("function"));
  const granularity = asked.get("granularity") ?? "hour";
  return { start, end, granularity, function: found ?? "COUNT", compare: asked.get("compare") === "previous", tz };
}

function RangePanel(props: { subject: Subject; eventType: string; given: URLSearchParams }) {
  const { subject, eventType, given } = props;
  const [asked, setAsked] = useState(() => askedOf(given));
  const canvas = useRef<HTMLCanvasElement | undefined>(undefined);
  const question = JSON.stringify([subject.address, eventType, asked]);
  const answer = useAnswer(() => rangeStats(subject, eventType, asked), 15_000, question);
  const change = (part: Partial<RangeAsked>) => {
    const next = { ...asked, ...part };
    setAsked(next);
    const { compare, ...rest } = next;
    askAnew(subject.address, { eventType, ...rest, ...(compare ? { compare: "previous" } : {}) });
  };
  const stats = answer.value;
  return (
    <section class="panel">
      <h2>Any range</h2>
      <RangeForm asked={asked} change={change} />
      {answer.problem !== undefined && <p class="problem">{answer.problem}</p>}
      {stats !== undefined && (
        <BarChart
          title={`${asked.function} of ${eventType}: ${valueText(stats.value)}${comparison(stats)}`}
          bars={barsOf(stats.buckets)}
          bucketMs={BUCKET_MS[stats.granularity]}
          before={stats.previous?.buckets.map(({ value }) => value)}
          timeZone={asked.tz}
          onDrawn={(drawn) => {
            canvas.current = drawn;
          }}
        />
      )}
      <p class="actions">
        <button
          type="button"
          disabled={stats === undefined}
          onClick={() => stats !== undefined && saveCsv(stats, subject.id, asked.function)}
        >
          Save CSV
        </button>
        <button type="button" disabled={stats === undefined} onClick={() => savePicture(canvas.current, subject.id)}>
          Save PNG
        </button>
        <button type="button" onClick={() => void navigator.clipboard?.writeText(location.href)}>
          Copy link
        </button>
      </p>
    </section>
  );
}

function RangeForm({ asked, change }: { asked: RangeAsked; change: (part: Partial<RangeAsked>) => void }) {
  return (
    <div class="form">
      <label>
        From
        <input
          type="datetime-local"
          value={asked.start}
          onChange={(event) => change({ start: event.currentTarget.value })}
        />
      </label>
      <label>
        To
        <input
          type="datetime-local"
          value={asked.end}
          onChange={(event) => change({ end: event.currentTarget.value })}
        />
      </label>
      <label>
        By
        <select value={asked.granularity} onChange={(event) => change({ granularity: event.currentTarget.value })}>
          {Object.keys(BUCKET_MS).map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <label>
        Function
        <select
          value={asked.function}
          onChange={(event) => change({ function: event.currentTarget.value as AggregateFunction })}
        >
          {FUNCTIONS.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <label>
        Time zone
        <select value={asked.tz} onChange={(event) => change(inZone(asked, event.currentTarget.value))}>
          {[...new Set([asked.tz, ...ZONES])].map((zone) => (
            <option key={zone}>{zone}</option>
          ))}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={asked.compare}
          onChange={(event) => change({ compare: event.currentTarget.checked })}
        />
        With the period before
      </label>
    </div>
  );
}

/** The same moments on the wall clock of another zone. */
function inZone({ start, end, tz: before }: RangeAsked, tz: string): Partial<RangeAsked> {
  const moved = (wall: string) => {
    const timeMs = timeOf(wall, before);
    return Number.isNaN(timeMs) ? wall : wallClock(timeMs, tz);
  };
  return { tz, start: moved(start), end: moved(end) };
}

async function rangeStats({ stats }: Subject, eventType: string, asked: RangeAsked): Promise<Stats> {
  const [startMs, endMs] = [timeOf(asked.start, asked.tz), timeOf(asked.end, asked.tz)];
  if (!(startMs < endMs)) throw new Error("the range must begin before it ends");
  return stats({
    eventType,
    function: asked.function,
    granularity: asked.granularity,
    start: new Date(startMs).toISOString(),
    end: new Date(endMs).toISOString(),
    tz: asked.tz,
    compare: asked.compare ? "previous" : undefined,
  });
}

function comparison({ previous, value }: Stats): string {
  if (previous === undefined || previous.value === null || value === null) return "";
  const [was, is] = [Number(previous.value), Number(value)];
  if (was === 0) return `, ${valueText(previous.value)} before`;
  const percent = Math.round(((is - was) / Math.abs(was)) * 100);
  return `, ${percent >= 0 ? "+" : ""}${percent} % against ${valueText(previous.value)} before`;
}

function saveCsv({ buckets, eventType }: Stats, id: string, name: string): void {
  const rows = buckets.map(({ start, value, state, revision = 0 }) => [start, value ?? "", state, revision].join(","));
  const text = [`start,${name.toLowerCase()},state,revision`, ...rows, ""].join("\n");
  save(new Blob([text], { type: "text/csv" }), `${fileName(id)}-${eventType}.csv`);
}

function savePicture(canvas: HTMLCanvasElement | undefined, id: string): void {
  canvas?.toBlob((blob) => {
    if (blob !== null) save(blob, `${fileName(id)}.png`);
  }, "image/png");
}

const fileName = (id: string): string => id.replace(/[^A-Za-z0-9_-]/g, "_");

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
