// SPDX-License-Identifier: Apache-2.0
/**
 * Jobs that count the same log in orders of their own, as a job and its zombie do, or a job before and after it went
 * back to a checkpoint.
 */
import fc from "fast-check";
import type { VideoEvent } from "../../../domain/event";
import { FromResource, generate, runDirect } from "../../../engine";
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { BigtableLedger } from "../../../io/bigtable/ledger";
import { countingGraph } from "../../../pipelines/counting-graph";
import type { Message } from "../../../transforms/elements";
import { RESOURCES } from "../../../transforms/resource-names";
import { WrittenCells } from "../../../transforms/written-cells";
import { cellsOf, modelCells, T0 } from "../../domain/model";
import { describeWithServers } from "../../servers/with-servers";
import { message, withResources } from "../../transforms/elements";
import { withBigtable } from "./bigtable-server";

const MESSAGES = 5;
const MINUTE = T0 / 60_000;
const NUM_RUNS = 30;

const events = fc.array(
  fc
    .record({
      eventId: fc.integer({ min: 0, max: 3 }).map((id) => `e${id}`),
      videoId: fc.constant("v"),
      value: fc.option(fc.integer({ min: -2, max: 2 }), { nil: undefined }),
      eventTimeMs: fc.integer({ min: T0, max: T0 + 2 }),
    })
    .map(
      ({ value, ...each }): VideoEvent => ({ eventType: "VIEW", ...each, ...(value === undefined ? {} : { value }) }),
    ),
  { minLength: 1, maxLength: 2 },
);
const order = fc.shuffledSubarray(
  Array.from({ length: MESSAGES }, (_, index) => index),
  { minLength: MESSAGES, maxLength: MESSAGES },
);
/**
 * Fires after each message of its order. `backAfter` messages it goes back to `backTo` of them, and takes the others in
 * another order.
 */
const job = fc.record({
  order,
  otherOrder: order,
  backAfter: fc.integer({ min: 0, max: MESSAGES }),
  backTo: fc.integer({ min: 0, max: MESSAGES }),
});

type Job = typeof job extends fc.Arbitrary<infer T> ? T : never;

/** Returns the numbers of messages in each pane of a job. */
function panesOf({ order, otherOrder, backAfter, backTo }: Job): number[][] {
  const checkpoint = order.slice(0, Math.min(backTo, backAfter));
  const after = otherOrder.filter((each) => !checkpoint.includes(each));
  return [
    ...order.slice(0, backAfter).map((_, at) => order.slice(0, at + 1)),
    ...after.map((_, at) => [...checkpoint, ...after.slice(0, at + 1)]),
  ];
}

describeWithServers("two jobs that write the same cells", ["bigtable"], () => {
  const bigtable = withBigtable();

  it("leave what the one has that comes to the end, wherever the other one stopped", { timeout: 120_000 }, async () => {
    const runs = fc.asyncProperty(
      fc.array(events, { minLength: MESSAGES, maxLength: MESSAGES }),
      job,
      job,
      fc.array(fc.boolean(), { maxLength: 4 * MESSAGES }),
      async (log, first, zombie, turns) => {
        const config = await bigtable.tables();
        const ledger = new BigtableLedger(config);
        const jobs = [first, zombie].map((each) => ({
          panes: panesOf(each),
          counters: new BigtableCounterStore(config),
          written: new WrittenCells(1_000),
        }));
        const fire = async ({ panes, counters, written }: (typeof jobs)[number]) => {
          const pane = panes.shift();
          if (pane === undefined) return;
          const ports = {
            [RESOURCES.counterStore]: counters,
            [RESOURCES.ledger]: ledger,
            "test/messages": pane.map((each) => message(log[each]!)),
            "test/written": written,
          };
          await withResources(ports, () => runDirect((root) => countingGraph(source(root), COUNTING)));
        };
        try {
          // True: the zombie's turn. It stops where the turns end, the other goes on to its end.
          for (const turn of turns) await fire(jobs[turn ? 1 : 0]!);
          while (jobs[0]!.panes.length > 0) await fire(jobs[0]!);
          const stored = [];
          for await (const counts of jobs[0]!.counters.minuteCells(MINUTE, MINUTE + 1)) stored.push(counts);
          expect(cellsOf(stored)).toEqual(modelCells(log.flat()));
        } finally {
          for (const { counters } of jobs) await counters.close();
          await ledger.close();
        }
      },
    );
    await fc.assert(runs, { numRuns: NUM_RUNS, examples: [WENT_BACK] });
  });
});

/**
 * Before it went back four repeats of one event had come, the last of them with a later time; after that both events
 * and the later time are there when only three have come: what is right is offered first when less came for it than for
 * what is stored.
 */
const WENT_BACK: [VideoEvent[][], Job, Job, boolean[]] = [
  [T0, T0, T0, T0, T0 + 1].map((eventTimeMs, at) => [
    { eventId: at === 3 ? "e1" : "e0", videoId: "v", eventType: "VIEW", eventTimeMs },
  ]),
  { order: [0, 1, 2, 4, 3], otherOrder: [0, 3, 4, 1, 2], backAfter: 4, backTo: 0 },
  { order: [], otherOrder: [], backAfter: 0, backTo: 0 },
  [],
];

const source = (root: Parameters<typeof generate>[0]) =>
  generate<Message>(root, "Messages", new FromResource("test/messages"));
const COUNTING = {
  dedupePartitions: 2,
  videoShards: 1,
  allowedLatenessMs: -1,
  followCorrections: false,
  paneCache: "",
  writtenCells: "test/written",
};
