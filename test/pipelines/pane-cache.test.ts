// SPDX-License-Identifier: Apache-2.0
/** The minutes that the embedded stream keeps, and for how long. */
import { Pane } from "../../domain/columns/pane";
import { EmbeddedPaneCache } from "../../pipelines/embedded/pane-cache";

const seed = Uint32Array.from({ length: 8 }, (_, n) => n + 1);
const NONE = new Set<string>();

test("a minute that nothing has come for in two minutes is dropped, and one that is used stays", () => {
  let nowMs = 0;
  const cache = new EmbeddedPaneCache(1_000_000, () => nowMs);
  const use = (minute: number) => {
    cache.continue(minute, 0, () => new Pane(seed, cache.names()));
    cache.keep(minute, NONE);
  };
  use(1);
  use(2);
  nowMs = 119_999;
  use(2);
  cache.trim();
  expect(cache.size.minutes).toBe(2);
  nowMs = 120_000;
  cache.trim();
  expect(cache.size.minutes).toBe(1);
  nowMs = 239_999;
  cache.trim();
  expect(cache.size.minutes).toBe(0);
});

test("panes share names until there are many, then new ones get others and old ones keep theirs", () => {
  const cache = new EmbeddedPaneCache(1_000_000);
  const first = cache.names();
  const pane = new Pane(seed, first);
  expect(cache.names()).toBe(first);
  for (let n = 0; n <= 2 ** 19; n++) first.videos.indexText(`v${n}`);
  expect(cache.names()).not.toBe(first);
  expect(pane.names).toBe(first);
});
