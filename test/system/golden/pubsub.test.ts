// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPipelineProto } from "../../../engine";
import { streamPipeline } from "../../../pipelines/stream/stream-pipeline";
import { type PubsubEmulator, startPubsubEmulator } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { expectOutcome } from "./outcome";
import { graphOfMessages, PubsubGoldenRunner, pubsubCounting } from "./pubsub-runner";
import { goldenScripts } from "./script";

const SCRIPTS = goldenScripts().map((script) => [script.name, script] as const);

test("the graph of these runs is that of Dataflow's job, but for its source", async () => {
  const counting = pubsubCounting({ allowedLatenessMs: 3_600_000 });
  const source = { kind: "dataflow-pubsub", subscription: "projects/p/subscriptions/s", idAttribute: "i" } as const;
  const job = await buildPipelineProto((root) => streamPipeline(root, { source, expansionService: "", counting }));
  const ours = await buildPipelineProto((root) => graphOfMessages(root, counting));
  const behindSource = ({ components }: typeof job) =>
    Object.values(components!.transforms)
      .filter(({ uniqueName }) => !uniqueName.startsWith("ReadPubSub"))
      .map(({ uniqueName, spec }) => ({
        name: uniqueName,
        urn: spec?.urn,
        payload: Buffer.from(spec?.payload ?? []).toString("hex"),
      }));
  expect(behindSource(job).length).toBeGreaterThan(15);
  expect(behindSource(ours)).toEqual(behindSource(job));
});

describeWithServers("the golden scripts on Pub/Sub as Dataflow reads it", ["pubsub"], () => {
  let emulator: PubsubEmulator;
  let folder = "";
  beforeAll(async () => {
    emulator = await startPubsubEmulator();
  }, COLD_START_MS);
  afterAll(() => emulator?.stop());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-golden-pubsub-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const runner = new PubsubGoldenRunner(() => emulator);

  test.each(SCRIPTS)("%s, and the same cells when every message is handed over twice", async (_name, script) => {
    const outcome = await runner.run(script, folder);
    expect(outcome.redeliveries).toBeGreaterThan(0);
    expectOutcome(script, outcome);
    const { minutes, hours, days, totals } = outcome;
    expect(outcome.repeated).toEqual({ minutes, hours, days, totals });
  });
});
