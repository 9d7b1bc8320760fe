/** Why a number can be trusted: the books, the audits, and the state of everything behind them. */
import { type Audit, getAudits, getDependencies, getLedger, type LedgerMinute } from "../api";
import { ago, moment, plural, whole } from "../format";
import type { LiveState } from "../live";
import { Scroll } from "../scroll";
import { useAnswer } from "../use-answer";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const SHOWN_HOURS = 24;
const MOST_LISTED = 20;

export function TrustPage({ live }: { live: LiveState }) {
  const ledger = useAnswer(
    () => getLedger({ start: new Date(Date.now() - SHOWN_HOURS * HOUR_MS).toISOString() }),
    5_000,
    "ledger",
  );
  const audits = useAnswer(() => getAudits(20), 10_000, "audits");
  const dependencies = useAnswer(getDependencies, 5_000, "dependencies");
  const problem = ledger.problem ?? audits.problem ?? dependencies.problem;
  return (
    <>
      <h1>Trust</h1>
      {problem !== undefined && <p class="problem">{problem}</p>}
      <section class="panel">
        <h2>Complete through</h2>
        <p>
          {live.completeThroughMs === 0
            ? "asking"
            : `Every event accepted before ${moment(live.completeThroughMs)} is counted (${ago(live.completeThroughMs, live.asOfMs)}).`}
        </p>
      </section>
      <Books minutes={ledger.value?.minutes} totals={ledger.value?.totals} nowMs={live.asOfMs} />
      <Audits audits={audits.value?.audits} />
      <section class="panel">
        <h2>What is running</h2>
        <ul class="dependencies">
          {dependencies.value?.map(({ name, ok, detail }) => (
            <li key={name} class={ok ? "ok" : "bad"}>
              <strong>{name}</strong> <span>{ok ? "ok" : "not ok"}</span> <span class="quiet">{detail}</span>
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

type BookState = "none" | "balanced" | "open" | "unbalanced";

/** A minute whose acceptance is long past and that still does not balance is not merely on its way. */
const OPEN_FOR_MS = 10 * MINUTE_MS;

function stateOf(minute: LedgerMinute | undefined, startMs: number, nowMs: number): BookState {
  if (minute === undefined) return "none";
  if (minute.balanced) return "balanced";
  return nowMs - startMs > OPEN_FOR_MS ? "unbalanced" : "open";
}

interface BooksProps {
  minutes: readonly LedgerMinute[] | undefined;
  totals:
    | { accepted: number; archived: number; counted: number; duplicate: number; late: number; rejected: number }
    | undefined;
  nowMs: number;
}

function Books({ minutes = [], totals, nowMs }: BooksProps) {
  const byStart = new Map(minutes.map((minute) => [Date.parse(minute.start), minute]));
  const lastHour = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
  const hours =
    nowMs === 0 ? [] : Array.from({ length: SHOWN_HOURS }, (_, at) => lastHour - (SHOWN_HOURS - 1 - at) * HOUR_MS);
  const wrong = minutes.filter((minute) => !minute.balanced);
  return (
    <section class="panel">
      <h2>Books of {SHOWN_HOURS} hours</h2>
      {totals !== undefined && (
        <p>
          {whole(totals.accepted)} accepted = {whole(totals.archived)} archived = {whole(totals.counted)} counted +{" "}
          {whole(totals.duplicate)} duplicate + {whole(totals.late)} late; {whole(totals.rejected)} rejected
        </p>
      )}
      <div class="strip" role="img" aria-label={stripLabel(minutes)}>
        {hours.map((hourMs) => (
          <div key={hourMs} class="hour" title={moment(hourMs)}>
            {Array.from({ length: 60 }, (_, at) => {
              const startMs = hourMs + at * MINUTE_MS;
              const minute = byStart.get(startMs);
              return <i key={at} class={stateOf(minute, startMs, nowMs)} title={minute && minuteText(minute)} />;
            })}
          </div>
        ))}
      </div>
      <p class="legend">
        <i class="balanced" /> balanced <i class="open" /> on the way <i class="unbalanced" /> does not balance{" "}
        <i class="none" /> no events
      </p>
      {wrong.length > 0 && (
        <ul>
          {wrong.slice(0, MOST_LISTED).map((minute) => (
            <li key={minute.start}>{minuteText(minute)}</li>
          ))}
          {wrong.length > MOST_LISTED && <li>and {plural(wrong.length - MOST_LISTED, "more minute")}</li>}
        </ul>
      )}
    </section>
  );
}

function stripLabel(minutes: readonly LedgerMinute[]): string {
  const wrong = minutes.filter(({ balanced }) => !balanced).length;
  return `${plural(minutes.length, "minute")} with events, ${minutes.length - wrong} balanced, ${wrong} not`;
}

const minuteText = (minute: LedgerMinute): string =>
  `${moment(minute.start)}: accepted ${whole(minute.accepted)}, archived ${whole(minute.archived)}, counted ${whole(minute.counted)}, duplicate ${whole(minute.duplicate)}, late ${whole(minute.late)}`;

function Audits({ audits }: { audits: readonly Audit[] | undefined }) {
  return (
    <section class="panel">
      <h2>Audits</h2>
      {audits?.length === 0 && <p class="quiet">none has run yet</p>}
      <Scroll label="Audits">
        <table>
          <thead>
            <tr>
              <th>When</th>
              <th>Range</th>
              <th>Outcome</th>
              <th class="number">Events</th>
              <th class="number">Cells</th>
              <th class="number">Differing</th>
              <th class="number">Repaired</th>
            </tr>
          </thead>
          <tbody>
            {audits?.map((audit) => (
              <tr key={audit.id}>
                <td>{moment(audit.startedAt)}</td>
                <td>
                  {moment(audit.from)} to {moment(audit.to)}
                </td>
                <td class={audit.outcome}>
                  {audit.outcome}
                  <Found audit={audit} />
                </td>
                <td class="number">{whole(audit.events)}</td>
                <td class="number">{whole(audit.cellsCompared)}</td>
                <td class="number">{whole(audit.cellsDiffering)}</td>
                <td class="number">{whole(audit.cellsRepaired)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function Found({ audit: { differences, notComparable } }: { audit: Audit }) {
  if (differences.length + notComparable.length === 0) return null;
  return (
    <details>
      <summary>{plural(differences.length + notComparable.length, "finding")}</summary>
      <ul>
        {differences.slice(0, MOST_LISTED).map((found, at) => (
          <li key={`d${at}`}>
            {found.level} {moment(found.start)} {found.videoId} {found.eventType}: archive {whole(found.archiveCount)},
            stored {whole(found.storedCount)}
          </li>
        ))}
        {notComparable.slice(0, MOST_LISTED).map((found, at) => (
          <li key={`n${at}`}>
            {moment(found.minute)}: {found.reason}
          </li>
        ))}
      </ul>
    </details>
  );
}
