// SPDX-License-Identifier: Apache-2.0
/**
 * Random events, messages and passes, counted by the embedded stream and over its archive, held against Maps and Sets.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { VideoEvent } from "../../../domain/event";
import { MINUTE_MS } from "../../../domain/rules/time";
import { meetingEvent, modelCells, modelReusedIds, T0 } from "../../domain/model";
import { BoundedRunner } from "./bounded-runner";
import { EmbeddedRunner } from "./embedded-runner";
import type { GoldenRunner, Outcome } from "./outcome";
import type { GoldenCells, GoldenScript, Step } from "./script";

const pass: Step = { kind: "pass" };
const RECEIVED = T0 + 3 * MINUTE_MS;

function sent(events: readonly VideoEvent[]): Step {
  const raws = events.map(({ eventTimeMs, ...fields }) => ({ raw: { ...fields, eventTime: eventTimeMs } }));
  return { kind: "send", receivedAtMs: RECEIVED, checked: true, events: raws };
}

function expectedMinutes(events: readonly VideoEvent[]): GoldenCells {
  return new Map(
    [...modelCells(events)].map(([name, { lastMs, ...sums }]) => {
      const [minute, ...cell] = name.split(" ");
      const startMs = Number(minute) * MINUTE_MS;
      return [[startMs, ...cell].join(" "), { ...sums, lastMs: startMs + lastMs }];
    }),
  );
}

const total = (outcome: Outcome, column: "accepted" | "counted" | "duplicate" | "reused") =>
  [...outcome.ledger.values()].reduce((sum, row) => sum + row[column], 0);

const options = { dedupePartitions: 3, videoShards: 2 };
const runners: GoldenRunner[] = [
  new EmbeddedRunner({ ...options, keepPanes: true }),
  new EmbeddedRunner({ ...options, keepPanes: false }),
  new EmbeddedRunner({ ...options, keepPanes: true, maxMinutes: 2 }),
  new BoundedRunner({ ...options, keepPanes: true }),
];

test.each(runners.map((runner) => [runner.name, runner] as const))("%s", async (_name, runner) => {
  const message = fc.array(meetingEvent, { minLength: 1, maxLength: 25 });
  const anySteps = fc.array(
    fc.oneof({ weight: 2, arbitrary: message }, { weight: 1, arbitrary: fc.constant(undefined) }),
    {
      maxLength: 8,
    },
  );
  await fc.assert(
    fc.asyncProperty(anySteps, async (steps) => {
      const events = steps.flatMap((step) => step ?? []);
      const script: GoldenScript = {
        name: "random",
        allowedLatenessMs: -1,
        steps: steps.map((step) => (step === undefined ? pass : sent(step))),
        closingAudits: [],
        minutes: new Map(),
        named: [],
        ledger: new Map(),
        deadLetters: [],
      };
      const folder = mkdtempSync(join(tmpdir(), "viewmill-random-"));
      try {
        const outcome = await runner.run(script, folder);
        const expected = expectedMinutes(events);
        const counted = [...expected.values()].reduce((sum, { count }) => sum + count, 0);
        expect(outcome.minutes).toEqual(expected);
        expect(total(outcome, "accepted")).toBe(events.length);
        expect(total(outcome, "counted")).toBe(counted);
        expect(total(outcome, "duplicate")).toBe(events.length - counted);
        expect(total(outcome, "reused")).toBe(modelReusedIds(events));
        expect(outcome.deadLetters).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 15 },
  );
});
