// SPDX-License-Identifier: Apache-2.0
/** Steps of jobs on a cluster, without one: over the real embedded stores, each in its place in a small graph. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventAt } from "../../domain/columns/event-columns";
import { minuteOf } from "../../domain/event";
import { lateReceiptPart } from "../../domain/rules/ledger-parts";
import {
  buildPipelineProto,
  FromResource,
  fixedWindows,
  generate,
  generateWithTimestamps,
  type PCollection,
  runDirect,
  streamingWindows,
} from "../../engine";
import { KnownEventTypes } from "../../intake/known-types";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { DirectoryFindings } from "../../io/directory/findings";
import { SqliteDeadLetters } from "../../io/sqlite/dead-letters";
import { SqliteEventTypes } from "../../io/sqlite/event-types";
import { SqliteLedger } from "../../io/sqlite/ledger";
import { EmbeddedPaneCache } from "../../pipelines/embedded/pane-cache";
import { AdmitEventTypes, admitEventTypes } from "../../transforms/admit-event-types";
import type { IdBlock } from "../../transforms/audit-elements";
import { decodeBatches } from "../../transforms/decode-batches";
import type { BatchMessage, DeadElement, LateElement, Message } from "../../transforms/elements";
import { findReusedIds } from "../../transforms/find-reused-ids";
import { messagesOfKafka, messagesOfPubSub } from "../../transforms/messages-of-log";
import type { MinuteWindowing } from "../../transforms/minute-windowing";
import { readSettledMessage } from "../../transforms/read-message";
import { RESOURCES } from "../../transforms/resource-names";
import { windowIntoMinutes } from "../../transforms/window-into-minutes";
import { writeDeadLetters } from "../../transforms/write-dead-letters";
import {
  hourFinding,
  idsFinding,
  ofHour,
  ofIds,
  ofTotals,
  totalsFinding,
  writeFindings,
} from "../../transforms/write-findings";
import { CountLate, writeLateLedger } from "../../transforms/write-late-ledger";
import { T0 } from "../domain/model";
import { event, message, withResources } from "./elements";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-steps-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ELEMENTS = "test/elements";
/** Runs a graph over these elements, with these ports. */
const run = <T, Outputs extends object | undefined>(
  elements: readonly T[],
  ports: Record<string, unknown>,
  build: (given: PCollection<T>) => Outputs,
) =>
  withResources({ ...ports, [ELEMENTS]: elements }, () =>
    runDirect((root) => build(generate<T>(root, "Elements", new FromResource(ELEMENTS)))),
  );

/** A message of a producer that passes no write API. */
const direct = (...eventTypes: string[]): BatchMessage => ({
  kind: "batch",
  payload: Buffer.from(
    JSON.stringify(eventTypes.map((eventType, n) => ({ eventId: `e${n}`, videoId: "v", eventType }))),
  ),
  appendedAtMs: T0,
});

describe("event types", () => {
  let types: SqliteEventTypes;
  beforeEach(() => {
    types = new SqliteEventTypes({ folder });
  });
  afterEach(() => types.close());
  const bound = { maxEventTypes: 2, rules: {} };
  const admitted = async (messages: readonly Message[]) => {
    const ports = { [RESOURCES.eventTypes]: types };
    const { outputs } = await run(messages, ports, (given) => ({ out: admitEventTypes(given, bound) }));
    return outputs.out;
  };

  test("are asked for where no write API did, and those beyond the bound are noted in the message", async () => {
    const archived = { kind: "archive", name: "o", minute: 1, content: Buffer.of(1) } as const;
    const judged = [message([event("a", { eventType: "FOREIGN" })]), archived];
    expect(await admitted(judged)).toEqual(judged);
    expect(await types.admit([], 2)).toEqual(new Set());
    const first = direct("VIEW");
    expect(await admitted([first])).toEqual([first]);
    const second = direct("VIEW", "LIKE", "SHARE", "PAUSE");
    expect(await admitted([second])).toEqual([{ ...second, refusedTypes: ["SHARE", "PAUSE"] }]);
    expect(await admitted([direct("LIKE", "VIEW"), direct("SHARE")])).toEqual([
      direct("LIKE", "VIEW"),
      { ...direct("SHARE"), refusedTypes: ["SHARE"] },
    ]);
    expect(await types.admit([], 2)).toEqual(new Set(["VIEW", "LIKE"]));
  });

  test("that the worker knows are not asked for again, by whichever message or step they come", async () => {
    let asked = 0;
    const counting = {
      admit: (names: readonly string[], most: number) => {
        asked++;
        return types.admit(names, most);
      },
    };
    await withResources({ types: counting }, async () => {
      const steps = [new AdmitEventTypes("types", bound), new AdmitEventTypes("types", bound)];
      expect(await steps[0]!.process(direct("VIEW", "LIKE"))).toEqual([direct("VIEW", "LIKE")]);
      for (const step of steps) expect(step.process(direct("LIKE"))).toEqual([direct("LIKE")]);
    });
    expect(asked).toBe(1);
  });

  test("are asked for by the one reading of a message, which the decoding step behind takes over", async () => {
    const options = { dedupePartitions: 1, paneCache: "", allowedLatenessMs: -1 };
    const counted = async (message: BatchMessage) => {
      const decoded = await run<Message, object>([message], {}, (given) => decodeBatches(given, options));
      const { blocks, dead } = decoded.outputs as { blocks: { value: { count: number } }[]; dead: DeadElement[] };
      return [blocks.map(({ value }) => value.count), dead];
    };
    const [fits, refused] = [direct("VIEW", "LIKE"), direct("VIEW", "LIKE", "SHARE")];
    await withResources({ types }, async () => {
      const step = new AdmitEventTypes("types", bound);
      for (const message of [fits, refused]) {
        const [admits] = await step.process(message);
        // A second reading would find these bytes to be no message.
        if (admits === message) message.payload.fill(0);
        const [, dead] = await counted(admits as BatchMessage);
        expect(dead).toMatchObject(message === fits ? [] : [{ eventId: "e2", reason: "bad-event-type" }]);
      }
    });
    expect(await counted(fits)).toEqual([[2], []]);
  });

  test("that are refused make dead letters of their events, and the others are counted", async () => {
    const noted = { ...direct("VIEW", "SHARE", "LIKE"), refusedTypes: ["SHARE"] };
    const plain = { dedupePartitions: 1, paneCache: "", allowedLatenessMs: -1 };
    const decoded = await run<Message, object>([noted], {}, (given) => decodeBatches(given, plain));
    const { blocks, dead } = decoded.outputs as { blocks: { value: { count: number } }[]; dead: DeadElement[] };
    expect(blocks.map(({ value }) => value.count)).toEqual([2]);
    expect(dead).toMatchObject([{ eventId: "e1" }]);
    const old = {
      kind: "batch" as const,
      payload: Buffer.from(JSON.stringify({ ...event("old"), eventTime: T0 - 2 })),
    };
    const judged = async (more: object) => {
      const options = { ...plain, ...more };
      const { outputs } = await run<Message, object>([{ ...old, appendedAtMs: T0 }], {}, (given) =>
        decodeBatches(given, options),
      );
      return (outputs as { dead: DeadElement[] }).dead.map(({ reason }) => reason);
    };
    expect(await judged({})).toEqual([]);
    expect(await judged({ rawRetentionMs: 1 })).toEqual(["too-old"]);
    expect(await judged({ limits: { ...CONTRACT_LIMITS, maxEventBytes: 20 } })).toEqual(["too-large"]);
    const unbounded = await readSettledMessage(direct("VIEW", "SHARE").payload, T0);
    expect([unbounded.columns.count, unbounded.dead]).toEqual([2, []]);
    const known = new KnownEventTypes(types, 1);
    const bounded = await readSettledMessage(direct("VIEW", "SHARE").payload, T0, {}, known);
    expect([eventAt(bounded.columns, 0).eventType, bounded.columns.count]).toEqual(["VIEW", 1]);
    expect(bounded.dead).toMatchObject([{ eventId: "e1", receivedAtMs: T0 }]);
  });

  test("an event that is refused without an id is a dead letter without one", async () => {
    const { dead } = await readSettledMessage(Buffer.from('[{"videoId":"v"},7]'), T0);
    expect(dead.map((letter) => ["eventId" in letter, letter.receivedAtMs])).toEqual([
      [false, T0],
      [false, T0],
    ]);
  });
});

test("records and payloads of a log are messages at the time of their append", async () => {
  const bytes = Uint8Array.of(1, 2);
  const timed = (value: unknown) => [{ value, timestampMs: 7_000 }];
  const messages = async (elements: unknown[], build: (given: never) => PCollection<BatchMessage>) => {
    const { outputs } = await withResources({ [ELEMENTS]: elements }, () =>
      runDirect((root) => ({
        out: build(generateWithTimestamps(root, "Elements", new FromResource(ELEMENTS)) as never),
      })),
    );
    return outputs.out;
  };
  const expected = [{ kind: "batch", payload: bytes, appendedAtMs: 7_000 }];
  expect(await messages(timed({ key: bytes, value: bytes }), messagesOfKafka)).toEqual(expected);
  expect(await messages(timed(bytes), messagesOfPubSub)).toEqual(expected);
});

test("a stream's minutes begin with the rest of the grace, accumulate, and are kept as long as late events may come", async () => {
  const strategyOf = async (windowing?: MinuteWindowing) => {
    const { components } = await buildPipelineProto((root) =>
      windowIntoMinutes("Minutes", generate(root, "Elements", new FromResource(ELEMENTS)), windowing),
    );
    return Object.values(components!.windowingStrategies).find(({ windowFn }) => windowFn!.payload.length > 0)!;
  };
  const windows = (offsetMs: number) => fixedWindows({ sizeMs: 60_000, offsetMs }).toProto();
  const firings = { earlyFiringMs: 1_000, lateFiringMs: 2_000 };
  const streaming = await strategyOf({ ...firings, graceMs: 61_500, keptMs: 90_000 });
  const { trigger, accumulationMode, allowedLateness } = streamingWindows({
    ...{ ...firings, allowedLatenessMs: 90_000, accumulating: true },
  });
  expect(streaming).toMatchObject({ windowFn: windows(1_500), trigger, accumulationMode, allowedLateness });
  const bounded = await strategyOf();
  expect(bounded.windowFn).toEqual(windows(0));
  expect(bounded.allowedLateness).not.toBe(allowedLateness);
});

test("reused ids are looked for in each partition of the ids", async () => {
  const block = (...hashes: number[]): IdBlock => ({
    minute: 7,
    hashes: new Uint8Array(Int32Array.from(hashes).buffer),
  });
  const blocks = [
    { key: "0", value: block(1, 2, 3, 4) },
    { key: "1", value: block(5, 6) },
    { key: "0", value: block(3, 4) },
  ];
  const { outputs } = await run(blocks, {}, (given) => ({ out: findReusedIds(given) }));
  expect(outputs.out.sort((a, b) => Number(a.key) - Number(b.key))).toEqual([
    { key: "0", reused: 1, examples: [{ first: 3, second: 4, times: 2, minutes: [7] }] },
    { key: "1", reused: 0, examples: [] },
  ]);
});

test("each finding of an audit has a name, under which its starter reads it", async () => {
  const findings = new DirectoryFindings({ folder });
  const [hour, ids, totals] = [
    { hour: 480_000, videoPart: 2 },
    { key: "3", reused: 1 },
    { videoPart: 4, totals: 5 },
  ];
  const found = [ofHour(hour as never), ofIds(ids as never), ofTotals(totals as never)];
  await run(found, { [RESOURCES.findings]: findings }, (given) => {
    writeFindings("WriteFindings", given, "audit-1");
    return undefined;
  });
  const names = [hourFinding(480_000, 2), idsFinding("3"), totalsFinding(4)];
  expect(names).toEqual(["hour-480000-2", "ids-3", "totals-4"]);
  const texts = await Promise.all(names.map((name) => findings.read("audit-1", name)));
  expect(texts.map((text) => JSON.parse(text!))).toEqual([hour, ids, totals]);
  expect(await findings.read("audit-2", "ids-3")).toBeUndefined();
});

describe("late events", () => {
  const M = minuteOf(T0);
  const late = (minute: number, receiptMinute: number, count: number) => ({
    key: `${minute} ${receiptMinute}`,
    value: { minute, receiptMinute, count } as LateElement,
  });

  test("are booked by the minute of their receipt, and a repeated bundle changes nothing", async () => {
    const ledger = new SqliteLedger({ folder });
    const elements = [late(M, M + 9, 3), late(M, M + 8, 2), late(M, M + 9, 4), late(M + 1, M + 9, 5)];
    for (let times = 0; times < 2; times++) {
      await run(elements, { [RESOURCES.ledger]: ledger }, (given) => {
        writeLateLedger(given, { videoShards: 2, paneCache: "" });
        return undefined;
      });
      expect(await ledger.books(M, M + 2)).toMatchObject([
        { minute: M, late: 9, counted: 0, duplicate: 0, reusedIds: 0 },
        { minute: M + 1, late: 5 },
      ]);
    }
    await ledger.close();
  });

  test("are all late events of the minute so far where its panes are kept", async () => {
    const count = async (step: CountLate) => {
      const kept = new EmbeddedPaneCache(10);
      return withResources({ panes: kept }, async () =>
        [3, 4].flatMap((n) => [...step.process({ key: "", value: [late(M, M + 9, n).value] })]),
      );
    };
    const row = { minute: M, part: lateReceiptPart(2, M + 9), counted: 0, duplicate: 0, reusedIds: 0 };
    expect(await count(new CountLate(2, ""))).toEqual([3, 4].map((n) => ({ ...row, received: n, late: n })));
    expect(await count(new CountLate(2, "panes"))).toEqual([3, 7].map((n) => ({ ...row, received: n, late: n })));
  });
});

test("dead letters are written whole, one by one or all of a reason together", async () => {
  const deadLetters = new SqliteDeadLetters({ folder });
  const dead = (payload: string, reason: DeadElement["reason"]): DeadElement => ({
    ...{ reason, detail: `no ${payload}`, payload: Buffer.from(payload), contentType: "text/plain", receivedAtMs: T0 },
  });
  const letters = [dead("a", "not-avro"), dead("b", "too-old"), dead("c", "not-avro")];
  for (const grouped of [false, true]) {
    await run(letters, { [RESOURCES.deadLetters]: deadLetters }, (given) => {
      writeDeadLetters(given, { grouped });
      return undefined;
    });
  }
  const written = await deadLetters.list({ afterId: "0", limit: 10 });
  const texts = written.map(({ reason, detail, source, payload }) => [
    reason,
    detail,
    source,
    String(Buffer.from(payload)),
  ]);
  const expected = letters.map(({ reason, detail, payload }) => [reason, detail, "pipeline", String(payload)]);
  expect(texts.sort()).toEqual([...expected, ...expected].sort());
  await deadLetters.close();
});
