// SPDX-License-Identifier: Apache-2.0
/** The judgement of soak, stress and the outside look; the runs themselves are programs (docs/bench.md). */

import { answeredIn, failures, scopeEscapes } from "../../bench/schemathesis/scope-escapes";
import { type Sample, slopeOf } from "../../bench/soak/process-samples";
import { flatness } from "../../bench/soak/soak-page";
import type { Step } from "../../bench/stress/rising-load";
import { hasRecovered, whatGave } from "../../bench/stress/what-gave";

const STEP: Step = {
  ...{ eventsPerSecond: 1_000, seconds: 10, sent: 10_000, accepted: 10_000, refused: {} },
  ...{ p50Ms: 1, p99Ms: 5, generatorLagMs: 2 },
};

describe("stress", () => {
  it.each([
    ["connections", { refused: { 0: 1, 429: 5 } }, 0],
    ["admission", { refused: { 429: 5, 503: 1 } }, 0],
    ["the store or its bound", { refused: { 503: 1 } }, 0],
    ["an answer that nobody expects", { refused: { 500: 1 } }, 0],
    ["the generator", { generatorLagMs: 501, p99Ms: 2_000 }, 0],
    ["ingest", { p99Ms: 1_001 }, 100],
    ["counting", {}, 31],
  ])("names %s, and says that it has not recovered", (what, changes, countingLagS) => {
    expect(whatGave({ ...STEP, ...changes }, countingLagS)).toMatch(new RegExp(`^${what}: `));
    if (what !== "the generator") expect(hasRecovered({ ...STEP, ...changes }, countingLagS)).toBe(false);
  });

  it("lets a step hold that is as it should be", () => {
    expect(whatGave(STEP, 2)).toBeUndefined();
    expect(hasRecovered(STEP, 2)).toBe(true);
  });
});

describe("soak", () => {
  const samples = (handles: (at: number) => number): Sample[] =>
    Array.from({ length: 100 }, (_, at) => ({
      ...{ atS: at * 5, processes: 2, serviceMiB: 100, memoryMiB: 200 + (at % 7), threads: 20, connections: 9 },
      ...{ handles: handles(at), files: 20, filesInAll: at, dataMiB: at },
    }));
  const grows = (all: Sample[]) => flatness(all).flatMap(({ what, isFlat }) => (isFlat ? [] : [what]));

  it("takes a slope by least squares", () => {
    expect(
      slopeOf([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
    ).toBeCloseTo(2);
    expect(
      slopeOf([
        [1, 1],
        [1, 2],
      ]),
    ).toBe(0);
  });

  it("calls flat what only swings or grew while caches filled, and not what goes on growing", () => {
    expect(grows(samples((at) => 100 + (at % 5)))).toEqual([]);
    expect(grows(samples((at) => 100 + Math.min(at, 40)))).toEqual([]);
    expect(grows(samples((at) => 100 + at))).toEqual(["handles"]);
  });
});

describe("the outside look", () => {
  const metrics = `# TYPE viewmill_http_request_seconds histogram
viewmill_http_request_seconds_bucket{le="1",route="/v1/top",method="GET",status="200"} 4
viewmill_http_request_seconds_count{route="/v1/top",method="GET",status="200"} 4
viewmill_http_request_seconds_count{route="/v1/keys",method="POST",status="403"} 7
viewmill_http_request_seconds_count{route="/v1/keys",method="GET",status="400"} 1
viewmill_http_request_seconds_count{route="/healthz",method="GET",status="200"} 2
viewmill_http_request_seconds_count{route="/readyz",method="GET",status="503"} 1
viewmill_http_request_seconds_count{route="none",method="GET",status="500"} 1
viewmill_ingest_requests_total{status="202",format="json"} 3
viewmill_ingest_requests_total{status="403",format="none"} 4
`;
  const keys = { security: [{ key: ["operate"] }, {}] };
  const document = {
    paths: {
      "/v1/top": { get: { security: [{ key: ["read"] }, {}] } },
      "/v1/keys": { get: keys, post: keys },
      "/healthz": { get: { security: [] } },
      "/v1/events": { post: { security: [{ key: ["write"] }, { publicKey: ["write"] }, {}] } },
    },
  };

  it("finds every answer beyond the scope of the key that is no refusal, and every failure", () => {
    const answers = answeredIn(metrics);
    expect(answers).toHaveLength(8);
    const escapes = (...scopes: string[]) =>
      scopeEscapes(answers, document, scopes).map(({ route, status }) => [route, status]);
    expect(escapes("read")).toEqual([
      ["/v1/keys", 400],
      ["/v1/events", 202],
    ]);
    expect(escapes("write")).toEqual([
      ["/v1/top", 200],
      ["/v1/keys", 400],
    ]);
    expect(escapes("read", "operate", "write")).toEqual([]);
    expect(failures(answers).map(({ route }) => route)).toEqual(["none"]);
  });
});
