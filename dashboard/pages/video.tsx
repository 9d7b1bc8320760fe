/** One video: totals that tick, the last hour and two days, and any range. */
import { useRef, useState } from "preact/hooks";
import {
  type AggregateFunction,
  type Bucket,
  type Granularity,
  getStats,
  getVideo,
  type Stats,
  type Totals,
} from "../api";
import { type Bar, BarChart } from "../chart";
import { type Exact, fraction, moment, whole } from "../format";
import type { LiveState } from "../live";
import { askAnew, type Place, videoAddress } from "../place";
import { useAnswer } from "../use-answer";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const BUCKET_MS: Readonly<Record<Granularity, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: 24 * HOUR_MS };
const FUNCTIONS: readonly AggregateFunction[] = ["COUNT", "SUM", "AVERAGE"];
/** The types that are offered before anything is known of a video. */
const USUAL_TYPES = ["VIEW", "LIKE", "SHARE"];

type VideoPlace = Extract<Place, { view: "video" }>;

export function VideoPage({ place, live }: { place: VideoPlace; live: LiveState }) {
  const { videoId } = place;
  const first = useAnswer(() => getVideo(videoId), 10_000, videoId);
  const totals = live.totals.get(videoId) ?? first.value?.totals;
  const [eventType, setEventType] = useState(place.asked.get("eventType") ?? "VIEW");
  const recent = useAnswer(() => recentStats(videoId, eventType), 2_000, `${videoId} ${eventType}`);
  return (
    <>
      <h1 class="id">{videoId}</h1>
      {first.problem !== undefined && <p class="problem">{first.problem}</p>}
      <TotalTabs totals={totals} eventType={eventType} choose={setEventType} />
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
      <RangePanel videoId={videoId} eventType={eventType} place={place} />
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

async function recentStats(videoId: string, eventType: string): Promise<{ minutes: Stats; hours: Stats }> {
  const now = Date.now();
  const asked = { eventType, function: "COUNT" };
  const from = (lengthMs: number, bucketMs: number) =>
    new Date((Math.floor(now / bucketMs) + 1) * bucketMs - lengthMs).toISOString();
  const [minutes, hours] = await Promise.all([
    getStats(videoId, { ...asked, start: from(HOUR_MS, MINUTE_MS), granularity: "minute" }),
    getStats(videoId, { ...asked, start: from(48 * HOUR_MS, HOUR_MS), granularity: "hour" }),
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
      <span class="swatch open" /> provisional: may still grow <span class="swatch" /> final or audited
      <span class="mark">▼</span> changed after it was final
    </p>
  );
}

interface RangeAsked {
  start: string;
  end: string;
  granularity: string;
  function: AggregateFunction;
  compare: boolean;
}

/** What the address asks for; else the last seven days by hour. */
function askedOf(asked: URLSearchParams): RangeAsked {
  const end = asked.get("end") ?? local(new Date(Math.ceil(Date.now() / HOUR_MS) * HOUR_MS));
  const start = asked.get("start") ?? local(new Date(new Date(end).getTime() - 7 * 24 * HOUR_MS));
  const found = FUNCTIONS.find((each) => each === asked.get("function"));
  const granularity = asked.get("granularity") ?? "hour";
  return { start, end, granularity, function: found ?? "COUNT", compare: asked.get("compare") === "previous" };
}

/** As `datetime-local` writes it, in the browser's time zone. */
function local(date: Date): string {
  return new Date(date.getTime() - date.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

function RangePanel({ videoId, eventType, place }: { videoId: string; eventType: string; place: VideoPlace }) {
  const [asked, setAsked] = useState(() => askedOf(place.asked));
  const canvas = useRef<HTMLCanvasElement | undefined>(undefined);
  const question = JSON.stringify([videoId, eventType, asked]);
  const answer = useAnswer(() => rangeStats(videoId, eventType, asked), 15_000, question);
  const change = (part: Partial<RangeAsked>) => {
    const next = { ...asked, ...part };
    setAsked(next);
    const { compare, ...rest } = next;
    askAnew(videoAddress(videoId), { eventType, ...rest, ...(compare ? { compare: "previous" } : {}) });
  };
  const stats = answer.value?.stats;
  return (
    <section class="panel">
      <h2>Any range</h2>
      <RangeForm asked={asked} change={change} />
      {answer.problem !== undefined && <p class="problem">{answer.problem}</p>}
      {stats !== undefined && (
        <BarChart
          title={`${asked.function} of ${eventType}: ${valueText(stats.value)}${comparison(answer.value?.before, stats)}`}
          bars={barsOf(stats.buckets)}
          bucketMs={BUCKET_MS[stats.granularity]}
          before={answer.value?.before?.buckets.map(({ value }) => value)}
          onDrawn={(drawn) => {
            canvas.current = drawn;
          }}
        />
      )}
      <p class="actions">
        <button
          type="button"
          disabled={stats === undefined}
          onClick={() => stats !== undefined && saveCsv(stats, asked.function)}
        >
          Save CSV
        </button>
        <button type="button" disabled={stats === undefined} onClick={() => savePicture(canvas.current, videoId)}>
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

async function rangeStats(
  videoId: string,
  eventType: string,
  asked: RangeAsked,
): Promise<{ stats: Stats; before: Stats | undefined }> {
  const [startMs, endMs] = [new Date(asked.start).getTime(), new Date(asked.end).getTime()];
  if (!(startMs < endMs)) throw new Error("the range must begin before it ends");
  const of = (fromMs: number, toMs: number) =>
    getStats(videoId, {
      eventType,
      function: asked.function,
      granularity: asked.granularity,
      start: new Date(fromMs).toISOString(),
      end: new Date(toMs).toISOString(),
    });
  const [stats, before] = await Promise.all([
    of(startMs, endMs),
    asked.compare ? of(Math.max(0, startMs - (endMs - startMs)), startMs) : undefined,
  ]);
  return { stats, before };
}

function comparison(before: Stats | undefined, stats: Stats): string {
  if (before === undefined || before.value === null || stats.value === null) return "";
  const [was, is] = [Number(before.value), Number(stats.value)];
  if (was === 0) return `, ${valueText(before.value)} before`;
  const percent = Math.round(((is - was) / Math.abs(was)) * 100);
  return `, ${percent >= 0 ? "+" : ""}${percent} % against ${valueText(before.value)} before`;
}

function saveCsv({ buckets, videoId, eventType }: Stats, name: string): void {
  const rows = buckets.map(({ start, value, state, revision = 0 }) => [start, value ?? "", state, revision].join(","));
  const text = [`start,${name.toLowerCase()},state,revision`, ...rows, ""].join("\n");
  save(new Blob([text], { type: "text/csv" }), `${fileName(videoId)}-${eventType}.csv`);
}

function savePicture(canvas: HTMLCanvasElement | undefined, videoId: string): void {
  canvas?.toBlob((blob) => {
    if (blob !== null) save(blob, `${fileName(videoId)}.png`);
  }, "image/png");
}

const fileName = (videoId: string): string => videoId.replace(/[^A-Za-z0-9_-]/g, "_");

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
