// SPDX-License-Identifier: Apache-2.0
import { BatchQueue, type BatchQueueOptions } from "../../../io/flow/batch-queue";
import { LogFullError, StoreUnavailableError } from "../../../io/ports";

interface Request {
  items: readonly string[];
  answer(error?: Error): void;
}

/** A queue whose requests are answered by hand. */
function queueOf(options: Partial<BatchQueueOptions<string>> = {}) {
  const requests: Request[] = [];
  const queue = new BatchQueue<string>({
    commit: (items) =>
      new Promise((resolve, reject) => {
        requests.push({ items, answer: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
    sizeBytes: (item) => item.length,
    maxGroupItems: 3,
    maxGroupBytes: 10,
    maxCommits: 2,
    lingerMs: 60_000,
    maxQueueBytes: 100,
    timeoutMs: 60_000,
    ...options,
  });
  return { queue, requests };
}
/** The queue sends at the end of a turn of the event loop: the turn after that has seen it. */
const turn = async () => {
  for (let n = 0; n < 2; n++) await new Promise((resolve) => setImmediate(resolve));
};

describe("BatchQueue", () => {
  it("sends what comes in one turn together, at once", async () => {
    const { queue, requests } = queueOf();
    const added = [queue.add("a"), queue.add("b")];
    await turn();
    expect(requests.map(({ items }) => items)).toEqual([["a", "b"]]);
    requests[0]!.answer();
    await Promise.all(added);
    expect(queue.queuedBytes).toBe(0);
  });

  it("lets items wait for company only while a request is under way, and until a group is full", async () => {
    const { queue, requests } = queueOf();
    const added = [queue.add("a")];
    await turn();
    added.push(queue.add("b"));
    await turn();
    expect(requests).toHaveLength(1);
    added.push(queue.add("c"), queue.add("d"), queue.add("e"));
    await turn();
    expect(requests.map(({ items }) => items)).toEqual([["a"], ["b", "c", "d"]]);
    requests[0]!.answer();
    requests[1]!.answer();
    await turn();
    expect(requests[2]!.items).toEqual(["e"]);
    requests[2]!.answer();
    await Promise.all(added);
  });

  it("lets items wait for company no longer than the linger", async () => {
    const { queue, requests } = queueOf({ lingerMs: 20 });
    void queue.add("a");
    await turn();
    const startMs = performance.now();
    void queue.add("b");
    await vi.waitFor(() => expect(requests).toHaveLength(2), 2_000);
    expect(performance.now() - startMs).toBeGreaterThan(15);
    for (const { answer } of requests) answer();
    await queue.idle();
  });

  it("keeps groups and requests within their bounds, but takes one item however large", async () => {
    const { queue, requests } = queueOf({ lingerMs: 0 });
    const items = ["x".repeat(50), "12345", "12345", "1", "1", "1", "1"];
    const added = items.map((item) => queue.add(item));
    await turn();
    expect(requests.map((request) => request.items)).toEqual([[items[0]], ["12345", "12345"]]);
    for (let answered = 0; answered < 4; answered++) {
      requests[answered]!.answer();
      await turn();
    }
    expect(requests.slice(2).map((request) => request.items)).toEqual([["1", "1", "1"], ["1"]]);
    await Promise.all(added);
  });

  it("refuses what is beyond its bound, until there is room", async () => {
    const { queue, requests } = queueOf({ maxQueueBytes: 5 });
    const first = queue.add("12345678");
    await expect(queue.add("1")).rejects.toThrow(LogFullError);
    await turn();
    requests[0]!.answer();
    await first;
    void queue.add("12345");
    await expect(queue.add("1")).rejects.toThrow(LogFullError);
    await turn();
    requests[1]!.answer();
    await queue.idle();
  });

  it("one commit at a time, without a deadline, gives each item its own result", async () => {
    const commits: { items: readonly string[]; end(): void }[] = [];
    const queue = new BatchQueue<string, number>({
      commit: (items) =>
        new Promise((resolve) => commits.push({ items, end: () => resolve(items.map((item) => item.length)) })),
      sizeBytes: (item) => item.length,
      ...{ maxGroupItems: 3, maxGroupBytes: 10, maxQueueBytes: 100 },
    });
    const first = queue.add("one");
    await turn();
    const others = [queue.add("three"), queue.add("four")];
    await turn();
    expect(commits.map(({ items }) => items)).toEqual([["one"]]);
    commits[0]!.end();
    expect(await first).toBe(3);
    await turn();
    expect(commits.map(({ items }) => items)).toEqual([["one"], ["three", "four"]]);
    commits[1]!.end();
    expect(await Promise.all(others)).toEqual([5, 4]);
    await queue.idle();
  });

  it("rejects a group with what its request failed with, and goes on", async () => {
    const { queue, requests } = queueOf();
    const failed = Promise.allSettled([queue.add("a"), queue.add("b")]);
    await turn();
    requests[0]!.answer(new StoreUnavailableError("away"));
    expect((await failed).map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
    const next = queue.add("c");
    await turn();
    requests[1]!.answer();
    await next;
    await queue.idle();
  });

  it("never sends what was given up while it waited, and holds the bytes of what was given up under way", async () => {
    const { queue, requests } = queueOf({ maxCommits: 1, timeoutMs: 50 });
    const under = expect(queue.add("under")).rejects.toThrow(/unknown/);
    await turn();
    const waits = expect(queue.add("waits")).rejects.toThrow(/took nothing/);
    await Promise.all([under, waits]);
    expect(queue.queuedBytes).toBe(5);
    requests[0]!.answer();
    await turn();
    expect(requests).toHaveLength(1);
    expect(queue.queuedBytes).toBe(0);
    await queue.idle();
  });
});
