// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import {
  type AwaitableDoFn,
  awaitableParDo,
  type DoFn,
  type ElementContext,
  fixedWindows,
  type Generator,
  generateWithTimestamps,
  groupByKey,
  type KV,
  millis,
  type PaneInfo,
  type PCollection,
  paneInfoParam,
  parDo,
  type ReadFromKafka,
  type Root,
  readFromKafka,
  register,
  splitByTag,
  streamingWindows,
  type Window,
  type WindowedValue,
  windowedValue,
  windowInto,
  windowParam,
  withName,
} from "../../engine";

const epochMs = 1_700_000_000_000;

export interface Item {
  id: string;
  at: number;
}

/** `count` items, 7 s apart, from before a window's offset on. */
export class Items implements Generator<{ value: Item; timestampMs: number }> {
  constructor(readonly count: number) {}

  *generate(): Iterable<{ value: Item; timestampMs: number }> {
    for (let i = 0; i < this.count; i++) {
      const timestampMs = epochMs + i * 7_000;
      yield { value: { id: `item-${i}`, at: timestampMs }, timestampMs };
    }
  }
}

export class ToInteger implements DoFn<Item, number> {
  *process({ at }: Item): Iterable<number> {
    yield at;
  }
}

export class IntegerByParity implements DoFn<Item, KV<string, number>> {
  *process({ at }: Item): Iterable<KV<string, number>> {
    yield { key: at % 2_000 === 0 ? "even" : "odd", value: at };
  }
}

export class ToBytes implements DoFn<Item, Uint8Array> {
  *process({ id }: Item): Iterable<Uint8Array> {
    yield new TextEncoder().encode(id);
  }
}

export class KeyByLength implements DoFn<Item, KV<string, Item>> {
  *process(item: Item): Iterable<KV<string, Item>> {
    yield { key: `length ${item.id.length}`, value: item };
  }
}

export class SplitByParity implements DoFn<Item, { even: Item } | { odd: string }> {
  *process(item: Item): Iterable<{ even: Item } | { odd: string }> {
    yield Number(item.id.slice(5)) % 2 === 0 ? { even: item } : { odd: item.id };
  }
}

/**
 * Counts the items of each bundle by minute, and emits the counts when it ends: the sum over all bundles is what is
 * certain.
 */
export class CountPerBundle implements DoFn<Item, KV<string, number>> {
  counts: Record<string, number> = {};

  startBundle(): void {
    this.counts = {};
  }

  process({ at }: Item): void {
    const minute = String(Math.floor(at / 60_000));
    this.counts[minute] = (this.counts[minute] ?? 0) + 1;
  }

  *finishBundle(): Iterable<WindowedValue<KV<string, number>>> {
    for (const [minute, value] of Object.entries(this.counts)) {
      yield windowedValue({ key: minute, value }, (Number(minute) + 1) * 60_000 - 1);
    }
  }
}

/** Four pieces of 2.5 MB under two keys: grouped, two elements of 5 MB. */
export class Large implements DoFn<Item, KV<string, Uint8Array>> {
  *process({ id }: Item): Iterable<KV<string, Uint8Array>> {
    const number = Number(id.slice(5));
    if (number < 4) yield { key: `large ${number % 2}`, value: new Uint8Array(2_500_000).fill(number) };
  }
}

export class Digest implements DoFn<KV<string, Iterable<Uint8Array>>, { key: string; sizes: number[]; hash: string }> {
  *process({ key, value }: KV<string, Iterable<Uint8Array>>) {
    const pieces = [...value].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
    const hash = createHash("sha256");
    for (const piece of pieces) hash.update(piece);
    yield { key, sizes: pieces.map((piece) => piece.length), hash: hash.digest("hex") };
  }
}

export class Group<T> implements DoFn<KV<string, Iterable<T>>, unknown, { window: { lookup(): Window } }> {
  *process({ key, value }: KV<string, Iterable<T>>, { window }: { window: { lookup(): Window } }): Iterable<unknown> {
    const values = [...value].map((each) => JSON.stringify(each)).sort();
    yield { key, values, windowEnds: millis(window.lookup().maxTimestamp()) };
  }
}

export class Sum implements DoFn<KV<string, Iterable<number>>, { key: string; sum: number }> {
  *process({ key, value }: KV<string, Iterable<number>>): Iterable<{ key: string; sum: number }> {
    let sum = 0;
    for (const each of value) sum += each;
    yield { key, sum };
  }
}

/** Posts each element to the ResultServer and waits for the answer. */
export class Report implements AwaitableDoFn<unknown, never> {
  constructor(
    readonly url: string,
    readonly tag: string,
  ) {}

  async process(element: unknown, { window, timestamp, pane }: ElementContext): Promise<void> {
    const value = element instanceof Uint8Array ? { bytes: Buffer.from(element).toString("hex") } : element;
    const row = this.tag.startsWith("pane")
      ? {
          ...(value as object),
          windowEnds: millis(window.maxTimestamp()),
          timing: pane.timing,
          index: pane.index,
          first: pane.isFirst,
          timestamp: millis(timestamp),
        }
      : value;
    const body = JSON.stringify({ tag: this.tag, row, pid: process.pid });
    const response = await fetch(this.url, { method: "POST", body });
    if (!response.ok) throw new Error(`the result server answered ${response.status}`);
    await response.arrayBuffer();
  }
}

const report = (input: PCollection<never> | PCollection<unknown>, url: string, tag: string) =>
  (input as PCollection<unknown>).apply(awaitableParDo(`report ${tag}`, new Report(url, tag), { maxInFlight: 8 }));

/** One graph with everything the project builds on, for a bounded run on any runner. */
export const boundedGraph =
  (url: string, count: number) =>
  (root: Root): void => {
    const items = generateWithTimestamps(root, "items", new Items(count));
    report(items.apply(withName("integers", parDo(new ToInteger()))), url, "integers");
    const gathered = items
      .apply(withName("integer by parity", parDo(new IntegerByParity())))
      .apply(withName("gather integers", groupByKey<string, number>()))
      .apply(withName("list", parDo(new Group<number>(), { window: windowParam() })));
    report(gathered, url, "gathered");
    report(items.apply(withName("bytes", parDo(new ToBytes()))), url, "bytes");
    const minutes = fixedWindows({ sizeMs: 60_000, offsetMs: 10_000 });
    const groups = items
      .apply(withName("key by length", parDo(new KeyByLength())))
      .apply(withName("minutes", windowInto(minutes, streaming())))
      .apply(withName("group", groupByKey<string, Item>()))
      .apply(withName("describe", parDo(new Group<Item>(), { window: windowParam() })));
    report(groups, url, "groups");
    const { even, odd } = splitByTag<{ even: Item; odd: string }>(
      "by parity",
      items.apply(withName("parity", parDo(new SplitByParity()))),
      { even: true, odd: true },
    );
    report(even, url, "even");
    report(odd, url, "odd");
    const counts = items
      .apply(withName("count per bundle", parDo(new CountPerBundle())))
      .apply(withName("whole minutes", windowInto(fixedWindows({ sizeMs: 60_000 }))))
      .apply(withName("gather counts", groupByKey<string, number>()))
      .apply(withName("sum", parDo(new Sum())));
    report(counts, url, "sums");
    const large = items
      .apply(withName("large", parDo(new Large())))
      .apply(withName("gather large", groupByKey<string, Uint8Array>()))
      .apply(withName("digest", parDo(new Digest())));
    report(large, url, "large");
  };

const streaming = () =>
  streamingWindows({ earlyFiringMs: 0, lateFiringMs: 1_000, accumulating: true, allowedLatenessMs: 600_000 });

export class ParseText implements DoFn<KV<Uint8Array | null, Uint8Array | null>, KV<string, string>> {
  *process({ key, value }: KV<Uint8Array | null, Uint8Array | null>): Iterable<KV<string, string>> {
    const decoder = new TextDecoder();
    const text = (bytes: Uint8Array | null) => (bytes === null ? "null" : decoder.decode(bytes));
    yield { key: text(key), value: text(value) };
  }
}

interface PaneContext {
  pane: { lookup(): PaneInfo };
}

export class Pane implements DoFn<KV<string, Iterable<string>>, { key: string; values: string[] }, PaneContext> {
  *process({ key, value }: KV<string, Iterable<string>>): Iterable<{ key: string; values: string[] }> {
    yield { key, values: [...value].sort() };
  }
}

/** Kafka -> windows -> panes, each reported with its timing. */
export const kafkaGraph = (url: string, kafka: ReadFromKafka, sizeMs: number) => async (root: Root) => {
  const records = await readFromKafka(root, "read", kafka);
  const panes = records
    .apply(withName("parse", parDo(new ParseText())))
    .apply(withName("windows", windowInto(fixedWindows({ sizeMs, offsetMs: 1_000 }), streaming())))
    .apply(withName("group", groupByKey<string, string>()))
    .apply(withName("pane", parDo(new Pane(), { pane: paneInfoParam() })));
  report(panes, url, "panes");
};

register(module);
