// SPDX-License-Identifier: Apache-2.0
/** The evidence for the numbers: the books, the audits, and the state of every dependency. */
import {
  type AlertRule,
  type Audit,
  getAlerts,
  getAudits,
  getDependencies,
  getLedger,
  type LedgerMinute,
} from "../api";
import { ago, moment, plural, whole } from "../format";
import type { LiveState } from "../live";
import { Meaning } from "../meaning";
import { Scroll } from "../scroll";
import { useAnswer } from "../use-answer";
import { DeadLetters } from "./dead-letters";

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
  const alerts = useAnswer(getAlerts, 5_000, "alerts");
  const dependencies = useAnswer(getDependencies, 5_000, "dependencies");
  const problem = ledger.problem ?? audits.problem ?? alerts.problem ?? dependencies.problem;
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
      <Books minutes={ledger.value?.minutes} totals={ledger.value?.totals} live={live} />
      <Alerts rules={alerts.value?.rules} />
      <DeadLetters />
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

type BookState = "balanced" | "open" | "unbalanced";

/** When this page first saw this many accepted events in a minute that did not balance. */
const firstSeen = new Map<string, { accepted: number; atMs: number }>();

/**
 * Returns the state of a minute. Events under way keep `completeThrough` before their acceptance. So a minute that
 * still does not balance is wrong, and not merely behind, once `completeThrough` has passed the moment at which the
 * page first saw it.
 */
function stateOf(minute: LedgerMinute, { asOfMs, completeThroughMs }: LiveState): BookState {
  if (minute.balanced) {
    firstSeen.delete(minute.start);
    return "balanced";
  }
  if (asOfMs === 0) return "open";
  const seen = firstSeen.get(minute.start);
  if (seen?.accepted !== minute.accepted) {
    firstSeen.set(minute.start, { accepted: minute.accepted, atMs: asOfMs });
    return "open";
  }
  return completeThroughMs > seen.atMs ? "unbalanced" : "open";
}

interface BooksProps {
  minutes: readonly LedgerMinute[] | undefined;
  totals:
    | { accepted: number; archived: number; counted: number; duplicate: number; late: number; rejected: number }
    | undefined;
  live: LiveState;
}

function Books({ minutes = [], totals, live }: BooksProps) {
  const nowMs = live.asOfMs;
  const byStart = new Map(minutes.map((minute) => [Date.parse(minute.start), minute]));
  const lastHour = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
  const hours =
    nowMs === 0 ? [] : Array.from({ length: SHOWN_HOURS }, (_, at) => lastHour - (SHOWN_HOURS - 1 - at) * HOUR_MS);
  const states = new Map(minutes.map((minute) => [minute.start, stateOf(minute, live)]));
  const wrong = minutes.filter(({ start }) => states.get(start) === "unbalanced");
  const open = [...states.values()].filter((state) => state === "open").length;
  return (
    <section class="panel">
      <h2>Books of {SHOWN_HOURS} hours</h2>
      {totals !== undefined && (
        <p>
          {whole(totals.accepted)} accepted {sign(totals.accepted, totals.archived)} {whole(totals.archived)} archived{" "}
          {sign(totals.archived, totals.counted + totals.duplicate + totals.late)} {whole(totals.counted)} counted +{" "}
          {whole(totals.duplicate)} duplicate + {whole(totals.late)} late; {whole(totals.rejected)} rejected
        </p>
      )}
      <div class="strip" role="img" aria-label={stripLabel(minutes.length, wrong.length, open)}>
        {hours.map((hourMs) => (
          <div key={hourMs} class="hour" title={moment(hourMs)}>
            {Array.from({ length: 60 }, (_, at) => {
              const startMs = hourMs + at * MINUTE_MS;
              const minute = byStart.get(startMs);
              const state = minute === undefined ? "none" : states.get(minute.start);
              return <i key={at} class={state} title={minute && minuteText(minute)} />;
            })}
          </div>
        ))}
      </div>
      <p class="legend">
        <Meaning of={<i class="balanced" />}>balanced</Meaning>
        <Meaning of={<i class="open" />}>on the way</Meaning>
        <Meaning of={<i class="unbalanced" />}>does not balance</Meaning>
        <Meaning of={<i class="none" />}>no events</Meaning>
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

const sign = (left: number, right: number): string => (left === right ? "=" : "≠");

const stripLabel = (minutes: number, wrong: number, open: number): string =>
  `${plural(minutes, "minute")} with events: ${minutes - wrong - open} balanced, ${open} on the way, ${wrong} not balanced`;

const minuteText = (minute: LedgerMinute): string =>
  `${moment(minute.start)}: accepted ${whole(minute.accepted)}, archived ${whole(minute.archived)}, counted ${whole(minute.counted)}, duplicate ${whole(minute.duplicate)}, late ${whole(minute.late)}`;

function Alerts({ rules }: { rules: readonly AlertRule[] | undefined }) {
  return (
    <section class="panel">
      <h2>Alerts</h2>
      {rules?.length === 0 && (
        <p class="quiet">
          no rules (<a href="/docs/alerts">how to write some</a>)
        </p>
      )}
      <ul class="dependencies">
        {rules?.map(({ name, kind, state, since }) => (
          <li key={name} class={state === "quiet" ? "ok" : state === "firing" ? "bad" : "pending"}>
            <strong>{name}</strong> <span>{state}</span>{" "}
            <span class="quiet">
              {kind}
              {since !== undefined && ` since ${moment(since)}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

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
                <td>{rangeOf(audit)}</td>
                <td class={audit.outcome}>
                  {audit.comparedNothing === true ? "nothing to compare" : audit.outcome}
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

function rangeOf({ totals, from, to }: Audit): string {
  if (totals) return "every total";
  return from === to ? "nothing to audit yet" : `${moment(from)} to ${moment(to)}`;
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
