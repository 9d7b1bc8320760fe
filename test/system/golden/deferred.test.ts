// SPDX-License-Identifier: Apache-2.0
/**
 * Random events, passes that take few minutes of a range, slices, crashes at any call of any port: in the end exactly
 * the model, and never "complete" before.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { VideoEvent } from "../../../domain/event";
import { MINUTE_MS } from "../../../domain/rules/time";
import { meetingEvent, modelCells, T0 } from "../../domain/model";
import { emptiedStores } from "../../io/sqlite/emptied-stores";
import { EmbeddedStream, openStores, type Stores } from "./embedded-runner";
import { storedCells } from "./outcome";

const RECEIVED = T0 + 3 * MINUTE_MS;
const PORTS = ["archive", "counters", "ledger", "deadLetters"] as const;

class Killed extends Error {
  override readonly name = "Killed";
}

/** The stores; the call that uses up `callsLeft` fails, before or after it has done its work. */
class Killer {
  callsLeft = Number.POSITIVE_INFINITY;
  after = false;

  wrap(stores: Stores): Stores {
    const wrapped = PORTS.map((port) => [
      port,
      new Proxy(stores[port], { get: (target, name) => this.member(target, name) }),
    ]);
    return { ...stores, ...Object.fromEntries(wrapped) };
  }

  private member(target: object, name: string | symbol): unknown {
    const member = Reflect.get(target, name, target) as unknown;
    if (typeof member !== "function") return member;
    return async (...args: unknown[]) => {
      const dies = --this.callsLeft === 0;
      if (dies && !this.after) throw new Killed();
      const result: unknown = await Reflect.apply(member, target, args);
      if (dies) throw new Killed();
      return result;
    };
  }
}

type Action =
  | { kind: "send"; events: VideoEvent[] }
  | { kind: "pass" | "slice"; killAt: number | undefined; after: boolean; restart: boolean };

const step = (kind: "pass" | "slice") =>
  fc.record({
    kind: fc.constant(kind),
    killAt: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined }),
    after: fc.boolean(),
    restart: fc.boolean(),
  });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      events: fc.array(meetingEvent, { minLength: 1, maxLength: 20 }),
    }),
  },
  { weight: 3, arbitrary: step("pass") },
  { weight: 3, arbitrary: step("slice") },
);

const named = (events: readonly VideoEvent[]) =>
  new Map(
    [...modelCells(events)].map(([name, { count, sum }]) => {
      const [minute, ...cell] = name.split(" ");
      return [[Number(minute) * MINUTE_MS, ...cell].join(" "), { count, sum }];
    }),
  );

async function play(actions: readonly Action[], stores: Stores, maxMinutes: number, keepPanes: boolean): Promise<void> {
  const killer = new Killer();
  const start = () =>
    new EmbeddedStream(stores, { dedupePartitions: 2, videoShards: 2, keepPanes, maxMinutes }, -1, (all) =>
      killer.wrap(all),
    );
  let stream = start();
  const sent: VideoEvent[][] = [];
  for (const each of actions) {
    if (each.kind === "send") {
      const raws = each.events.map(({ eventTimeMs, ...fields }) => ({ raw: { ...fields, eventTime: eventTimeMs } }));
      await stream.send({ kind: "send", receivedAtMs: RECEIVED, checked: true, events: raws });
      sent.push(each.events);
    } else {
      killer.callsLeft = each.killAt ?? Number.POSITIVE_INFINITY;
      killer.after = each.after;
      try {
        await (each.kind === "pass" ? stream.pass() : stream.slice());
      } catch (error) {
        if (!`${(error as Error).name} ${((error as Error).cause as Error)?.name}`.includes("Killed")) throw error;
        if (each.restart) stream = start();
      }
      killer.callsLeft = Number.POSITIVE_INFINITY;
    }
    // Everything that is called complete is in the counters.
    const complete = sent.slice(0, await stores.ledger.countedThrough()).flat();
    const { minutes } = await storedCells(stores.counters);
    for (const [name, { count }] of named(complete))
      expect(minutes.get(name)?.count ?? 0).toBeGreaterThanOrEqual(count);
  }
  await stream.catchUp();
  const { minutes, ledger } = await stream.outcome();
  const events = sent.flat();
  expect(new Map([...minutes].map(([name, { count, sum }]) => [name, { count, sum }]))).toEqual(named(events));
  const books = [...ledger.values()];
  for (const { accepted, archived, counted, duplicate } of books) {
    expect([archived, counted + duplicate]).toEqual([accepted, accepted]);
  }
  expect(books.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(events.length);
  expect(await stores.ledger.countedThrough()).toBe(sent.length);
}

const shared = emptiedStores();
test("passes and slices that are killed anywhere count every event once, and say complete only of what is", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 3, maxLength: 14 }),
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      async (actions, maxMinutes, keepPanes) => {
        const folder = mkdtempSync(join(tmpdir(), "viewmill-deferred-"));
        const stores = await openStores(folder, await shared());
        try {
          await play(actions, stores, maxMinutes, keepPanes);
        } finally {
          await stores.close();
          rmSync(folder, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: 25 },
  );
}, 600_000);
