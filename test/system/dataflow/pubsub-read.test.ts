// SPDX-License-Identifier: Apache-2.0
import { DockerPayload, IsBounded_Enum, type Pipeline } from "apache-beam/proto/beam_runner_api";
import { dataflowSource, streamGraph, streamSource } from "../../../cli/deployment/stream-graph";
import { replaceEnvironments } from "../../../engine";
import { PUBSUB_READ } from "../../../engine/dataflow";
import { type ExpansionService, startExpansionService } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { goldenConfig } from "./golden-config";
import { IMAGE } from "./google-world";

const transformsOf = ({ components }: Pipeline) => Object.values(components?.transforms ?? {});
const readOf = (proto: Pipeline) => {
  const reads = transformsOf(proto).filter(({ spec }) => spec?.urn === PUBSUB_READ);
  expect(reads).toHaveLength(1);
  return reads[0]!;
};
const imagesOf = ({ components }: Pipeline): Record<string, string> =>
  Object.fromEntries(
    Object.entries(components?.environments ?? {}).map(([id, { urn, payload }]) => {
      expect(urn).toBe("beam:env:docker:v1");
      return [id, DockerPayload.fromBinary(payload).containerImage];
    }),
  );

const native = () => streamGraph(goldenConfig(), dataflowSource(goldenConfig()), "");

test("Dataflow's own source is a transform without parts, and needs no workers but ours", async () => {
  const proto = replaceEnvironments(await native(), { image: IMAGE });
  const read = readOf(proto);
  expect([read.inputs, read.subtransforms]).toEqual([{}, []]);
  expect(imagesOf(proto)).toEqual({ jsEnvironment: IMAGE });
  const [output] = Object.values(read.outputs);
  const { coderId, isBounded } = proto.components!.pcollections[output!]!;
  expect(isBounded).toBe(IsBounded_Enum.UNBOUNDED);
  expect(proto.components!.coders[coderId]?.spec?.urn).toBe("beam:coder:bytes:v1");
});

test("what reads it is unbounded to its end, as a bounded one would be over when a window closes", async () => {
  const { components } = await native();
  const bounded = Object.values(components!.pcollections).filter(
    ({ isBounded }) => isBounded !== IsBounded_Enum.UNBOUNDED,
  );
  expect(bounded.map(({ uniqueName }) => uniqueName)).toEqual([]);
});

describeWithServers("the Pub/Sub source that Java's expansion service gives", ["expansion"], () => {
  let expansion: ExpansionService | undefined;
  beforeAll(async () => {
    expansion = await startExpansionService({ deprecatedRead: false });
  }, COLD_START_MS);
  afterAll(async () => {
    await expansion?.stop();
  });

  const expanded = () => streamGraph(goldenConfig(), streamSource(goldenConfig()), expansion!.endpoint);

  test("has the same URN and payload as Dataflow's own", async () => {
    const [java, own] = [readOf(await expanded()), readOf(await native())];
    expect(Buffer.from(java.spec!.payload).toString("hex")).toBe(Buffer.from(own.spec!.payload).toString("hex"));
  });

  test("keeps its URN when environments become images, and an image of Java's for its parts", async () => {
    const java = "apache/beam_java17_sdk:2.62.0";
    const proto = replaceEnvironments(await expanded(), { image: IMAGE, javaImage: java });
    expect(readOf(proto).subtransforms.length).toBeGreaterThan(0);
    const images = imagesOf(proto);
    expect(Object.values(images).sort()).toEqual([java, IMAGE].sort());
    const ours = transformsOf(proto).filter(({ environmentId }) => images[environmentId] === IMAGE);
    expect(ours.some(({ uniqueName }) => uniqueName.includes("PayloadsToMessages"))).toBe(true);
  });

  test("has the image that the expansion service names, where it names one, and else must be given one", async () => {
    const proto = await expanded();
    expect(() => replaceEnvironments(proto, { image: IMAGE })).toThrow(/the expansion service names no image/);
    const named = "apache/beam_java21_sdk:9.9.9";
    for (const environment of Object.values(proto.components!.environments)) {
      if (environment.urn === "js_default") continue;
      environment.urn = "beam:env:docker:v1";
      environment.payload = DockerPayload.toBinary({ containerImage: named });
    }
    expect(Object.values(imagesOf(replaceEnvironments(proto, { image: IMAGE }))).sort()).toEqual([named, IMAGE].sort());
  });
});
