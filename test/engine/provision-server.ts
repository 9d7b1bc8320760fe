// SPDX-License-Identifier: Apache-2.0
import * as grpc from "@grpc/grpc-js";
import "../../engine/beam";
import { sdk } from "../../engine/fixes/sdk";

export interface Provisioned {
  readonly controlEndpoint?: string;
  readonly siblingWorkerIds?: readonly string[];
  /** Pipeline options, as the runner hands them on. */
  readonly options?: object;
}

/** The provisioning service of a runner: what it was asked, and by whom. */
export class ProvisionServer {
  /** worker_id metadata of each call. */
  readonly askedBy: string[] = [];
  private readonly server = new grpc.Server();
  endpoint = "";

  static async start({ controlEndpoint, siblingWorkerIds = [], options = {} }: Provisioned): Promise<ProvisionServer> {
    const provision = new ProvisionServer();
    const { provisionServiceDefinition } =
      require("apache-beam/proto/beam_provision_api.grpc-server") as typeof import("apache-beam/proto/beam_provision_api.grpc-server");
    const { GetProvisionInfoResponse } =
      require("apache-beam/proto/beam_provision_api") as typeof import("apache-beam/proto/beam_provision_api");
    provision.server.addService(provisionServiceDefinition, {
      getProvisionInfo: ({ metadata }: { metadata: grpc.Metadata }, reply: grpc.sendUnaryData<unknown>) => {
        provision.askedBy.push(String(metadata.get("worker_id")[0]));
        const pipelineOptions = sdk.struct.Struct.fromJson(options as never);
        const controls = controlEndpoint === undefined ? {} : { controlEndpoint: { url: controlEndpoint } };
        const info = { pipelineOptions, siblingWorkerIds: [...siblingWorkerIds], ...controls };
        reply(null, GetProvisionInfoResponse.create({ info }));
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      provision.server.bindAsync("127.0.0.1:0", credentials, (error, at) => (error ? reject(error) : resolve(at)));
    });
    provision.endpoint = `127.0.0.1:${port}`;
    return provision;
  }

  stop(): void {
    this.server.forceShutdown();
  }
}
