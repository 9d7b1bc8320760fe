// SPDX-License-Identifier: Apache-2.0
import * as grpc from "@grpc/grpc-js";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { Elements, Elements_Data, InstructionRequest, InstructionResponse } from "apache-beam/proto/beam_fn_api";
import { type PCollection, type Root, type WindowedValue, withName } from "../../engine/beam";
import { windowedValue } from "../../engine/bundle-output";
import { sdk } from "../../engine/fixes/sdk";
import { Later } from "./later";

type Call = grpc.ServerDuplexStream<Record<string, unknown>, unknown>;
type Instruction = InstructionRequest["request"];

const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

/** The context of every element on a data stream; an enum in the SDK's types. */
const needsDelimiters = "needsDelimiters" as import("apache-beam/coders/coders").Context;

/** The argument and the result of build: the stage's input, and its output if it has one. */
export type BuildStage = (input: PCollection<unknown>) => PCollection<unknown> | PCollection<never>;

/**
 * The runner's side of the Fn API, in this process, over real gRPC: a real Worker, here or in a process of its own,
 * runs the bundles of one stage, a source and a sink around the graph that `build` makes. Elements are encoded with the
 * SDK's coders, or sent as the raw bytes a test wants.
 */
export class FakeRunner {
  readonly outputs: unknown[] = [];
  /** worker_id metadata of each GetProcessBundleDescriptor call. */
  readonly descriptorWorkerIds: string[] = [];
  private readonly server = new grpc.Server(unlimited);
  private readonly responses = new Map<string, (response: InstructionResponse) => void>();
  private readonly control = new Later<Call>();
  private readonly data = new Later<Call>();
  private readonly outputsEnd = new Map<string, Later<void>>();
  private ids = 0;
  private coder!: import("apache-beam/coders/coders").Coder<WindowedValue<unknown>>;
  worker!: InstanceType<typeof import("apache-beam/worker/worker").Worker>;
  /** `host:port` of all its services. */
  endpoint = "";

  static async start(build: BuildStage): Promise<FakeRunner> {
    const runner = await FakeRunner.startWithoutWorker(build);
    runner.worker = new sdk.worker.Worker("worker-1", { controlUrl: runner.endpoint }, {});
    runner.worker.controlChannel.on("error", () => undefined);
    return runner;
  }

  /** For a worker of the test's, which `close` leaves to the test. */
  static async startWithoutWorker(build: BuildStage): Promise<FakeRunner> {
    const runner = new FakeRunner();
    await runner.listen(build);
    return runner;
  }

  private async listen(build: BuildStage): Promise<void> {
    const services =
      require("apache-beam/proto/beam_fn_api.grpc-server") as typeof import("apache-beam/proto/beam_fn_api.grpc-server");
    let descriptor: unknown;
    const open =
      <Message>(side: Later<Call>, onData: (message: Message) => void) =>
      (call: Call) => {
        call.on("data", onData);
        call.on("error", () => undefined);
        side.resolve(call);
      };
    this.server.addService(services.beamFnControlDefinition, {
      control: open(this.control, (response: InstructionResponse) =>
        this.responses.get(response.instructionId)?.(response),
      ),
      getProcessBundleDescriptor: (
        call: grpc.ServerUnaryCall<unknown, unknown>,
        reply: grpc.sendUnaryData<unknown>,
      ) => {
        this.descriptorWorkerIds.push(String(call.metadata.get("worker_id")[0] ?? ""));
        reply(null, descriptor);
      },
    });
    this.server.addService(services.beamFnDataDefinition, {
      data: open(this.data, ({ data }: Elements) => {
        for (const each of data) this.take(each);
      }),
    });
    const port = await new Promise<number>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      this.server.bindAsync("localhost:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    this.endpoint = `localhost:${port}`;
    descriptor = this.describe(build, this.endpoint);
  }

  /**
   * One fused stage: source -> what build applies -> sink. The graph is built by the SDK, then its ends are replaced.
   */
  private describe(build: BuildStage, url: string): unknown {
    const { Pipeline } = sdk.pipeline;
    const pipeline: Pipeline = new Pipeline();
    const input = new sdk.pvalue.Root(pipeline).apply(
      withName("input", (_root: Root, owner: Pipeline) => {
        return owner.createPCollectionInternal(new sdk.jsCoders.GeneralObjectCoder<unknown>());
      }),
    );
    const output = build(input);
    const { components } = pipeline.getProto();
    if (components === undefined) throw new Error("no components");
    const { GeneralObjectCoder } = sdk.jsCoders;
    const { FullWindowedValueCoder, GlobalWindowCoder } = sdk.requiredCoders;
    const windowed = new FullWindowedValueCoder(new GeneralObjectCoder(), new GlobalWindowCoder());
    this.coder = windowed;
    const coderId = pipeline.context.getCoderId(windowed);
    const payload = sdk.fnApi.RemoteGrpcPort.toBinary({
      apiServiceDescriptor: { url, authentication: undefined as never },
      coderId,
    });
    const end = (urn: string) => ({
      uniqueName: urn,
      spec: { urn, payload },
      inputs: {},
      outputs: {},
      subtransforms: [],
      environmentId: "",
      displayData: [],
      annotations: {},
    });
    const transforms = Object.fromEntries(
      Object.entries(components.transforms).filter(([, each]) => each.spec !== undefined),
    );
    return sdk.fnApi.ProcessBundleDescriptor.create({
      ...components,
      id: "stage",
      stateApiServiceDescriptor: { url },
      transforms: {
        ...transforms,
        source: { ...end("beam:runner:source:v1"), outputs: { out: input.getId() } },
        sink: { ...end("beam:runner:sink:v1"), inputs: { in: output.getId() } },
      },
    });
  }

  /** Asks the worker for something and resolves with its answer, success or error. */
  async ask(request: Instruction, instructionId = `instruction-${this.ids++}`): Promise<InstructionResponse> {
    const answer = new Promise<InstructionResponse>((resolve) => this.responses.set(instructionId, resolve));
    (await this.control.promise).write(sdk.fnApi.InstructionRequest.create({ instructionId, request }));
    return answer;
  }

  /** Starts a bundle; resolves with its answer, after its outputs: the two come on different streams, in any order. */
  async process(instructionId: string): Promise<InstructionResponse> {
    const processBundle = { processBundleDescriptorId: "stage", cacheTokens: [] };
    const outputsEnd = new Later<void>();
    this.outputsEnd.set(instructionId, outputsEnd);
    const response = await this.ask({ oneofKind: "processBundle", processBundle }, instructionId);
    if (response.error === "") await outputsEnd.promise;
    return response;
  }

  async send(instructionId: string, elements: readonly unknown[], isLast = false): Promise<void> {
    const writer = new sdk.protobuf.Writer();
    for (const each of elements) this.coder.encode(windowedValue(each, 0), writer, needsDelimiters);
    const data = [{ instructionId, transformId: "source", data: writer.finish(), isLast }];
    (await this.data.promise).write({ data, timers: [] });
  }

  /** One bundle of one message. */
  async run(elements: readonly unknown[]): Promise<InstructionResponse> {
    const id = `bundle-${this.ids++}`;
    const answer = this.process(id);
    await this.send(id, elements, true);
    return answer;
  }

  private take({ instructionId, data, isLast }: Elements_Data): void {
    const reader = sdk.protobuf.Reader.create(data);
    while (reader.pos < reader.len) this.outputs.push(this.coder.decode(reader, needsDelimiters).value);
    if (isLast) this.outputsEnd.get(instructionId)?.resolve();
  }

  /** Ends the control stream as a runner does when the job is over. */
  async endControl(): Promise<void> {
    (await this.control.promise).end();
  }

  /** Ends the control stream, or the data stream, with an error. */
  async breakStream(which: "control" | "data", code: grpc.status): Promise<void> {
    (await this[which].promise).emit("error", { code, details: "the runner goes" });
  }

  /** Closes every connection at once. */
  close(): void {
    this.server.forceShutdown();
  }

  /** Ends every stream from both sides, so that neither sees a broken one. */
  async stop(): Promise<void> {
    const hasData = this.worker.dataChannels.size > 0;
    for (const call of [this.control, ...(hasData ? [this.data] : [])]) (await call.promise).end();
    for (const channel of this.worker.dataChannels.values()) channel.close();
    this.worker.stop();
    await new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
  }
}
