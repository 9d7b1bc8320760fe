// SPDX-License-Identifier: Apache-2.0
/** The present: the rate, the last hour, and the videos with most events. */
import type { LedgerMinute } from "../api";
import { type Found, getLedger, getTop, newestVideos, query } from "../api";
import { BarChart, Sparkline } from "../chart";
import { useDemoTraffic } from "../demo-traffic";
import { ago, short, whole } from "../format";
import type { LiveState } from "../live";
import { videoAddress } from "../place";
import { useAnswer } from "../use-answer";
import { DemoTraffic, EmptyState } from "./empty";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const TOP_EVERY_MS = 3_000;
const LISTED = 10;

export function NowPage({ live }: { live: LiveState }) {
  const hour = useAnswer(() => leaders(HOUR_MS), TOP_EVERY_MS, "hour");
  const days = useAnswer(() => leaders(48 * HOUR_MS), 4 * TOP_EVERY_MS, "48 hours");
  const newest = useAnswer(() => newestVideos(LISTED), 4 * TOP_EVERY_MS, "newest");
  const ledger = useAnswer(lastHour, 2 * TOP_EVERY_MS, "refused");
  const empty = live.books.size === 0 && days.value?.length === 0;
  const traffic = useDemoTraffic();
  if (empty) return <EmptyState />;
  const minutes = [...live.books.values()];
  const rejected = ledger.value?.totals.rejected;
  const problem = hour.problem ?? days.problem;
  return (
    <>
      <h1>Now</h1>
      {problem !== undefined && <p class="problem">{problem}</p>}
      {traffic.secondsLeft > 0 && <DemoTraffic traffic={traffic} />}
      <Cards live={live} minutes={minutes} rejected={rejected} />
      <section class="panel">
        <BarChart title="Events by minute, the last hour" bars={bars(live)} bucketMs={MINUTE_MS} />
      </section>
      <div class="columns">
        <Leaders title="Most viewed in the last hour" leaders={hour.value} />
        <Leaders title="Most viewed in 48 hours" leaders={days.value} />
        {(newest.value?.videos.length ?? 0) > 0 && <Newest videos={newest.value!.videos} nowMs={live.asOfMs} />}
      </div>
    </>
  );
}

const lastHour = () => getLedger({ start: new Date(Date.now() - HOUR_MS).toISOString() });

interface CardsProps {
  live: LiveState;
  minutes: readonly LedgerMinute[];
  rejected: number | undefined;
}

function Cards({ live, minutes, rejected }: CardsProps) {
  const sum = (member: "accepted" | "late" | "duplicate") =>
    minutes.reduce((total, minute) => total + minute[member], 0);
  const open = minutes.filter(({ balanced }) => !balanced).length;
  return (
    <div class="cards">
      <Card label="Events a second" value={short(live.rate)} id="rate" />
      <Card label="Events in the last hour" value={whole(sum("accepted"))} id="hour" />
      <Card label="Duplicates removed" value={whole(sum("duplicate"))} id="duplicates" />
      <Card label="Refused" value={rejected === undefined ? "…" : whole(rejected)} id="rejected" href="#/trust" />
      <Card label="Late, to be audited" value={whole(sum("late"))} id="late" />
      <Card
        label="Books of the last hour"
        value={open === 0 ? "balanced" : `${whole(open)} open`}
        id="books"
        href="#/trust"
      />
    </div>
  );
}

function Card({ label, value, id, href }: { label: string; value: string; id: string; href?: string }) {
  return (
    <div class="card">
      <p class="label">{href === undefined ? label : <a href={href}>{label}</a>}</p>
      <p class="value" data-card={id}>
        {value}
      </p>
    </div>
  );
}

/** Accepted events of each of the last sixty minutes; a minute that is not balanced yet is open. */
function bars({ books, asOfMs }: LiveState) {
  const last = Math.floor(asOfMs / MINUTE_MS) * MINUTE_MS;
  return Array.from({ length: 60 }, (_, at) => {
    const startMs = last - (59 - at) * MINUTE_MS;
    const minute = books.get(new Date(startMs).toISOString());
    const closed = minute === undefined || (minute.balanced && startMs < last);
    return { startMs, value: minute?.accepted ?? 0, state: closed ? ("final" as const) : ("provisional" as const) };
  });
}

interface Leader {
  videoId: string;
  title: string;
  count: number;
  /** Counts of the buckets of the range. */
  line: number[];
}

async function leaders(lengthMs: number): Promise<Leader[]> {
  const end = new Date();
  const start = new Date(end.getTime() - lengthMs).toISOString();
  const range = { start, end: end.toISOString() };
  const { videos } = await getTop({ eventType: "VIEW", ...range, limit: LISTED });
  if (videos.length === 0) return [];
  const videoIds = videos.map(({ videoId }) => videoId);
  const granularity = lengthMs > 2 * HOUR_MS ? "hour" : "minute";
  const { series } = await query({ videoIds, eventTypes: ["VIEW"], ...range, granularity });
  const lines = new Map(series.map(({ videoId, buckets }) => [videoId, buckets.map(({ COUNT }) => COUNT ?? 0)]));
  return videos.map(({ videoId, title = videoId, count }) => ({
    videoId,
    title,
    count,
    line: lines.get(videoId) ?? [],
  }));
}

function Leaders({ title, leaders }: { title: string; leaders: readonly Leader[] | undefined }) {
  return (
    <section class="panel">
      <h2>{title}</h2>
      <ol class="leaders">
        {leaders === undefined && <li class="quiet">asking</li>}
        {leaders?.length === 0 && <li class="quiet">nothing in this time</li>}
        {leaders?.map(({ videoId, title, count, line }) => (
          <li key={videoId}>
            <a href={videoAddress(videoId)} title={videoId}>
              {title}
            </a>
            <Sparkline values={line} label={`${title} over the time`} />
            <span class="number">{whole(count)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Shown where the catalog says when videos were published. */
function Newest({ videos, nowMs }: { videos: Found["videos"]; nowMs: number }) {
  return (
    <section class="panel">
      <h2>Newest videos</h2>
      <ol class="leaders">
        {videos.map(({ videoId, title = videoId, publishedAt, totals }) => (
          <li key={videoId}>
            <a href={videoAddress(videoId)} title={videoId}>
              {title}
            </a>
            <span class="quiet">{publishedAt === undefined ? "" : ago(Date.parse(publishedAt), nowMs)}</span>
            <span class="number">{whole(totals.VIEW?.count ?? 0)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
