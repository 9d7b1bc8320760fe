// SPDX-License-Identifier: Apache-2.0
import * as grpc from "@grpc/grpc-js";
import type { InstructionRequest, InstructionResponse } from "apache-beam/proto/beam_fn_api";
import "../../engine/beam";
import { sdk } from "../../engine/fixes/sdk";

type Call = grpc.ServerDuplexStream<InstructionResponse, InstructionRequest>;

/** The control service of a runner that gives no work: who connected, and a way to end it. */
export class ControlServer {
  readonly calls = new Map<string, Call>();
  /** Workers whose side of the channel is closed too. */
  readonly ended = new Set<string>();
  private readonly server = new grpc.Server();
  endpoint = "";

  static async start(): Promise<ControlServer> {
    const control = new ControlServer();
    control.server.addService(sdk.fnServices.beamFnControlDefinition, {
      control: (call: Call) => {
        call.on("error", () => undefined);
        call.on("data", () => undefined);
        const workerId = String(call.metadata.get("worker_id")[0]);
        call.on("end", () => {
          control.ended.add(workerId);
          call.end();
        });
        call.on("cancelled", () => control.ended.add(workerId));
        control.calls.set(workerId, call);
      },
      getProcessBundleDescriptor: (_call: unknown, reply: grpc.sendUnaryData<unknown>) => {
        reply({ code: grpc.status.UNAVAILABLE, details: "this runner gives no work" });
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      control.server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
    });
    control.endpoint = `127.0.0.1:${port}`;
    return control;
  }

  stop(): void {
    this.server.forceShutdown();
  }
}

/** A runner's side of the pool's service. */
export class PoolClient {
  private readonly client: InstanceType<
    typeof import("apache-beam/proto/beam_fn_api.grpc-client").BeamFnExternalWorkerPoolClient
  >;

  constructor(address: string) {
    const clients = sdk.fnClients;
    this.client = new clients.BeamFnExternalWorkerPoolClient(address, grpc.ChannelCredentials.createInsecure(), {
      // A connection of its own, as two runners have.
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** Resolves with the pool's error, "" for none. */
  start(workerId: string, controlEndpoint: string, params: Record<string, string> = {}): Promise<string> {
    const request = { workerId, controlEndpoint: { url: controlEndpoint }, params };
    return new Promise((resolve, reject) => {
      this.client.startWorker(request as never, (error, answer) => (error ? reject(error) : resolve(answer!.error)));
    });
  }

  stop(workerId: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.client.stopWorker({ workerId }, (error, answer) => (error ? reject(error) : resolve(answer!.error)));
    });
  }

  close(): void {
    this.client.close();
  }
}
