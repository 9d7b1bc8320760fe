// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import type { MinuteCounts } from "../../../domain/columns/minute-counts";
import { PaneNames } from "../../../domain/columns/pane-names";
import { NameReceiver, NameSender } from "../../../io/sqlite/sent-names";

const seed = Uint32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

interface Written {
  space: number;
  videos: string[];
  /** The thread has died since the message before. */
  died: boolean;
}

function countsOf(videos: string[], names: PaneNames | undefined): MinuteCounts {
  const n = videos.length;
  const columns = {
    minute: 7,
    types: ["VIEW"],
    videoIndex: Uint32Array.from(videos, (_, row) => row),
    typeIndex: new Uint32Array(n),
    counts: new Float64Array(n).fill(1),
    valued: new Float64Array(n),
    sumHigh: new Float64Array(n),
    sumLow: new Float64Array(n),
    lastMsInMinute: new Uint16Array(n),
  };
  if (names === undefined) return { ...columns, videos };
  const numbers = Uint32Array.from(videos, (video) => names.videos.indexText(video));
  return { ...columns, videos, named: { names, numbers } };
}

test("names arrive at the thread as they were written, whichever space they are of and whichever thread it is", () => {
  const written = fc.record({
    space: fc.integer({ min: 0, max: 4 }),
    videos: fc.uniqueArray(fc.constantFrom(..."abcdefghij"), { maxLength: 5 }),
    died: fc.boolean(),
  });
  const messages = fc.array(fc.array(written, { minLength: 1, maxLength: 4 }), { maxLength: 12 });
  fc.assert(
    fc.property(messages, (all: Written[][]) => {
      const spaces = Array.from({ length: 4 }, () => new PaneNames(seed));
      const sender = new NameSender();
      let [worker, receiver] = [1, new NameReceiver()];
      for (const message of all) {
        if (message[0]!.died) [worker, receiver] = [worker + 1, new NameReceiver()];
        const counts = message.map(({ space, videos }) => countsOf(videos, spaces[space]));
        const received = receiver.counts(structuredClone(sender.message(counts, worker)));
        expect(received.map(({ videos }) => videos)).toEqual(message.map(({ videos }) => videos));
        for (const { named, videos } of received) {
          if (named === undefined) continue;
          expect(Array.from(named.numbers, (number) => named.names.videoText(number))).toEqual(videos);
        }
      }
    }),
  );
});

test("a name is sent once, and again only to another thread", () => {
  const names = new PaneNames(seed);
  const sender = new NameSender();
  const textsOf = (videos: string[], worker: number) =>
    sender.message([countsOf(videos, names)], worker).spaces.flatMap(({ texts }) => texts);
  expect(textsOf(["a", "b"], 1)).toEqual(["a", "b"]);
  expect(textsOf(["b", "c"], 1)).toEqual(["c"]);
  expect(textsOf(["a", "b", "c"], 1)).toEqual([]);
  expect(textsOf(["a"], 2)).toEqual(["a", "b", "c"]);
});

test("spaces that are not used any more are forgotten on both sides", () => {
  const sender = new NameSender();
  const receiver = new NameReceiver();
  const kept = Array.from({ length: 5 }, () => {
    const message = sender.message([countsOf(["a"], new PaneNames(seed))], 1);
    receiver.counts(message);
    return message.kept.length;
  });
  expect(kept).toEqual([1, 2, 2, 2, 2]);
});
