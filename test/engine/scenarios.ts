// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as grpc from "@grpc/grpc-js";
import type { IOperator } from "apache-beam/worker/operators";
import type { FixName } from "../../engine/fixes";
import type * as Fake from "./fake-runner";
import type { Gate } from "./fns";
import { Later } from "./later";

/**
 * The effect of each defect, as a scenario that returns its observation. A test runs it twice: with all fixes the
 * observation must be right, and in a process without that one fix it must not. Requires happen inside, because the
 * process decides first which fix to leave out.
 */
type Build = Fake.BuildStage;

/** "gate" while `use` runs: files that share a process provide their own. */
async function withGate<T>(gate: Gate, use: () => Promise<T>): Promise<T> {
  const { engine } = load();
  engine.provideResource<Gate>("gate", gate);
  try {
    return await use();
  } finally {
    engine.withdrawResource("gate");
  }
}

async function withRunner<T>(build: Build, use: (runner: Fake.FakeRunner) => Promise<T>): Promise<T> {
  const { FakeRunner } = require("./fake-runner") as typeof Fake;
  const runner = await FakeRunner.start(build);
  try {
    return await use(runner);
  } finally {
    await runner.stop();
  }
}

const load = () => ({
  engine: require("../../engine") as typeof import("../../engine"),
  fns: require("./fns") as typeof import("./fns"),
  ...(require("../../engine/fixes/sdk") as typeof import("../../engine/fixes/sdk")),
});

function same(): Build {
  const { engine, fns } = load();
  return (input) => input.apply(engine.withName("same", engine.parDo(new fns.Same<unknown>())));
}

/** The part of the SDK's Pub/Sub transforms for serialisation: the client's module. */
interface PubSubClosure {
  PubSub: {
    protos: {
      google: {
        pubsub: { v1: { PubsubMessage: { encode(message: { data: Uint8Array }): { finish(): Uint8Array } } } };
      };
    };
  };
}

/** Standard output of this process while `during` runs. */
async function printed(during: () => Promise<unknown>): Promise<string> {
  let text = "";
  const { log, debug } = console;
  console.log = console.debug = (...args: unknown[]) => {
    text += args.join(" ");
  };
  try {
    await during();
  } finally {
    console.log = log;
    console.debug = debug;
  }
  return text;
}

export const scenarios: Partial<Record<FixName, () => Promise<unknown>>> = {
  "silent-loss": () => {
    const { engine, fns } = load();
    let release: Promise<unknown> = Promise.resolve();
    const gate = {
      enter: async () => {
        await release;
      },
    };
    const slow = engine.awaitableParDo("slow", new fns.ThroughGate("gate"), { maxInFlight: 1 });
    return withGate(gate, () =>
      withRunner(
        (input) => input.apply(slow as never),
        async (runner) => {
          // The first bundle fetches the descriptor while its data is buffered; the second meets its data as it comes.
          await runner.run([0]);
          const [channel] = [...runner.worker.dataChannels.values()];
          const answer = runner.process("b");
          await runner.ask({ oneofKind: "processBundleProgress", processBundleProgress: { instructionId: "b" } });
          const lastMessage = new Later<void>();
          release = lastMessage.promise;
          await runner.send("b", [1, 2, 3, 4, 5]);
          channel?.dataChannel.once("data", () => {
            channel.dataChannel.once("data", () => fns.turn().then(fns.turn).then(lastMessage.resolve));
          });
          await runner.send("b", [], true);
          const { error } = await answer;
          return { error, outputs: runner.outputs };
        },
      ),
    );
  },
  // The sink alone: our ParDo awaits each send, which is one way to hide this; operators of the SDK that collect
  // promises still meet it.
  "silent-duplicates": async () => {
    const { sdk, replaceOperator } = load();
    const coder = new sdk.jsCoders.GeneralObjectCoder<unknown>();
    const sent: Uint8Array[] = [];
    const channel = { sendData: async (data: Uint8Array) => void sent.push(data), close: () => undefined };
    const context = {
      getDataChannel: () => ({ getSendChannel: () => channel }),
      getBundleId: () => "b",
      pipelineContext: { getCoder: () => coder },
    };
    const payload = sdk.fnApi.RemoteGrpcPort.toBinary({ apiServiceDescriptor: { url: "x" }, coderId: "c" } as never);
    let sink: IOperator | undefined;
    replaceOperator("beam:runner:sink:v1", (current) => {
      sink = current("sink", { spec: { payload } } as never, context as never);
      return current;
    });
    await sink?.startBundle();
    await Promise.all(Array.from({ length: 1010 }, (_, i) => sink?.process({ i, text: "x".repeat(1000) } as never)));
    await sink?.finishBundle();
    let elements = 0;
    for (const data of sent) {
      const reader = sdk.protobuf.Reader.create(data);
      for (; reader.pos < reader.len; elements++) coder.decode(reader, "needsDelimiters" as never);
    }
    return { elements };
  },
  "message-size": () =>
    withRunner(same(), async (runner) => {
      await runner.run([{ text: "small" }]);
      const [channel] = [...runner.worker.dataChannels.values()];
      const broken = new Promise<string>((resolve) => {
        channel?.dataChannel.on("error", (error: Error) => resolve(error.message));
      });
      const answer = runner.run([{ text: "x".repeat(6_000_000) }]);
      const outcome = await Promise.race([answer.then(({ error }) => error || "done"), broken]);
      return { outcome, lengths: runner.outputs.slice(1).map((each) => (each as { text: string }).text.length) };
    }),
  numbers: () =>
    withRunner(same(), async (runner) => {
      const sent = [
        1_700_000_000_000,
        -5,
        [1_700_000_000_000, 2 ** 40, -(2 ** 40)],
        { at: 1_700_000_000_000 },
        0.5,
        2 ** 60,
      ];
      await runner.run([...sent, Number.NaN, Number.POSITIVE_INFINITY]);
      return runner.outputs.map((each) => (typeof each === "number" ? String(each) : each));
    }),
  values: () =>
    withRunner(same(), async (runner) => {
      await runner.run([Uint8Array.of(1, 255), [Uint8Array.of(2)]]);
      return runner.outputs.map((each) =>
        JSON.stringify(each, (_, value) => (value instanceof Uint8Array ? { bytes: [...value] } : value)),
      );
    }),
  "consumer-leak": () =>
    withRunner(same(), async (runner) => {
      for (let i = 0; i < 20; i++) await runner.run([i]);
      const [channel] = [...runner.worker.dataChannels.values()];
      return { bundlesRemembered: channel?.consumers.size };
    }),
  "quiet-worker": () =>
    withRunner(same(), async (runner) => ({
      printed: /instructionId|object Object/.test(await printed(() => runner.run([1]))),
    })),
  "quiet-bundles": () =>
    withRunner(same(), async (runner) => ({ printed: /Processing/.test(await printed(() => runner.run([1]))) })),
  "late-requests": () =>
    withRunner(same(), async (runner) => {
      await runner.run([1]);
      const split = await runner.ask({
        oneofKind: "processBundleSplit",
        processBundleSplit: { instructionId: "gone", desiredSplits: {} },
      });
      const progress = await runner.ask({
        oneofKind: "processBundleProgress",
        processBundleProgress: { instructionId: "gone" },
      });
      return { failed: [split, progress].filter(({ error }) => error !== "").length };
    }),
  "monitoring-infos": () =>
    withRunner(same(), async (runner) => {
      const bundle = await runner.run([1]);
      if (bundle.response.oneofKind !== "processBundle") return bundle;
      const ids = Object.keys(bundle.response.processBundle.monitoringData);
      const answer = await runner.ask({ oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfoId: ids } });
      const named =
        answer.response.oneofKind === "monitoringInfos"
          ? Object.values(answer.response.monitoringInfos.monitoringInfo)
          : [];
      return {
        failed: answer.error !== "",
        allNamed: named.length > 0 && named.every((info) => info.urn.startsWith("beam:metric")),
      };
    }),
  "worker-wait": () =>
    withRunner(same(), async (runner) => {
      const ended = new Promise((resolve) => runner.worker.controlChannel.on("end", () => setImmediate(resolve)));
      const waited = runner.worker.wait().then(() => "wait returned");
      await runner.endControl();
      return Promise.race([waited, ended.then(() => "channel ended, wait did not")]);
    }),
  "worker-id": () =>
    withRunner(same(), async (runner) => {
      await runner.run([1]);
      return runner.descriptorWorkerIds;
    }),
  "awaited-impulse": async () => {
    const { engine, fns } = load();
    let done = 0;
    const gate = {
      enter: async () => {
        await fns.turn();
        done++;
      },
    };
    await withGate(gate, () =>
      engine.runDirect((root) => {
        const numbers = engine.generate(root, "numbers", new fns.CountTo(20));
        numbers.apply(engine.awaitableParDo("write", new fns.ThroughGate("gate"), { maxInFlight: 1 }));
      }),
    );
    return { done };
  },
  "plain-pardo": async () => {
    const { engine, fns } = load();
    return engine
      .runDirect((root) => {
        engine
          .generate(root, "numbers", new fns.CountTo(2))
          .apply(engine.withName("picky", engine.parDo(new fns.FailOn(1))));
      })
      .then(
        () => "finished",
        (error: Error) => error.message,
      );
  },
  "run-options": async () => {
    const { sdk } = load();
    let seen: unknown = "nothing";
    class Probe extends sdk.runner.Runner {
      override async runPipeline(
        _proto: unknown,
        options?: object,
      ): Promise<import("apache-beam/runners/runner").PipelineResult> {
        seen = options;
        return new sdk.runner.PipelineResult();
      }
    }
    await new Probe().runAsync(() => undefined as never, { jobName: "x" });
    return seen;
  },
  "offer-artifacts": async () => {
    const { sdk } = load();
    // A job service with nothing to fetch: the stream ends with trailers only, as Prism's does.
    const server = new grpc.Server();
    const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
    const path = "/org.apache.beam.model.job_management.v1.ArtifactStagingService/ReverseArtifactRetrievalService";
    server.addService(
      {
        reverse: {
          path,
          requestStream: true,
          responseStream: true,
          requestSerialize: bytes.serialize,
          requestDeserialize: bytes.deserialize,
          responseSerialize: bytes.serialize,
          responseDeserialize: bytes.deserialize,
        },
      },
      { reverse: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => call.on("data", () => call.end()) },
    );
    const port = await new Promise<number>((resolve) =>
      server.bindAsync("localhost:0", grpc.ServerCredentials.createInsecure(), (_error, bound) => resolve(bound)),
    );
    const { ArtifactStagingServiceClient } =
      require("apache-beam/proto/beam_artifact_api.client") as typeof import("apache-beam/proto/beam_artifact_api.client");
    const fromSdk = { paths: [require.resolve("apache-beam")] };
    const { GrpcTransport } = require(require.resolve("@protobuf-ts/grpc-transport", fromSdk)) as {
      GrpcTransport: new (options: object) => never;
    };
    const client = new ArtifactStagingServiceClient(
      new GrpcTransport({ host: `localhost:${port}`, channelCredentials: grpc.ChannelCredentials.createInsecure() }),
    );
    const call = client.reverseArtifactRetrievalService.bind(client);
    const ended = new Promise<string>((resolve) => {
      client.reverseArtifactRetrievalService = (options) => {
        const made = call(options);
        made.status.then(() => setImmediate(() => resolve("the call ended, the offer did not")));
        return made;
      };
    });
    const offered = Promise.race([sdk.artifacts.offerArtifacts(client, "token").then(() => "offered"), ended]);
    return offered.finally(() => server.forceShutdown());
  },
  "node-24": async () => {
    require("apache-beam");
    return readFileSync(require.resolve("apache-beam"), "utf8").length > 0;
  },
  "late-pubsub": async () => {
    const { writeToPubSub } = require("apache-beam/io/pubsub") as { writeToPubSub: { __closure(): PubSubClosure } };
    const client = createRequire(require.resolve("apache-beam")).resolve("@google-cloud/pubsub");
    const loadedBefore = require.cache[client] !== undefined;
    const message = writeToPubSub.__closure().PubSub.protos.google.pubsub.v1.PubsubMessage;
    return { loadedBefore, coded: Buffer.from(message.encode({ data: Buffer.from("x") }).finish()).toString("hex") };
  },
};
