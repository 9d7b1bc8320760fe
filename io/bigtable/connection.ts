// SPDX-License-Identifier: Apache-2.0
/**
 * The channels to Bigtable. Calls use the gRPC stub of Google's client, which brings the credentials. The client's own
 * layer over the stub (retries, a deadline of 12 hours, a wrapper for each streamed message) is left out; retry.ts
 * decides on retries. Every adapter of this folder calls Bigtable with it.
 */

// Not from the package's root: the root loads an exporter of metrics to Cloud Monitoring, half of the loading time.
import { BigtableClient } from "@google-cloud/bigtable/build/src/v2";
import { type Client, type ClientReadableStream, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { MINUTE_MS } from "../../domain/rules/time";
import { type BigtableConfig, type TableNames, tableNames } from "./config";
import type { RetryTimes } from "./errors";

const DEFAULT_CHANNELS = 2;

type Request = Record<string, unknown>;
type Stub = Client &
  Record<"readRows" | "mutateRows", (r: Request, m: Metadata, o: object) => ClientReadableStream<unknown>> &
  Record<
    "checkAndMutateRow",
    (r: Request, m: Metadata, o: object, done: (error: ServiceError | null, answer: unknown) => void) => unknown
  >;

export class BigtableConnection {
  readonly tables: TableNames;
  readonly times: RetryTimes;
  readonly #clients: BigtableClient[];
  readonly #appProfileId: string | undefined;
  #next = 0;

  constructor(config: BigtableConfig) {
    this.tables = tableNames(config);
    this.times = {
      attemptTimeoutMs: config.attemptTimeoutMs ?? 10_000,
      totalTimeoutMs: config.totalTimeoutMs ?? MINUTE_MS,
    };
    this.#appProfileId = config.appProfileId;
    const channels = Math.max(1, config.channels ?? DEFAULT_CHANNELS);
    this.#clients = Array.from({ length: channels }, () => new BigtableClient(clientOptions(config)));
  }

  /** Resolves with all messages of the answer; rejects with gRPC's error. */
  async stream<Answer>(
    method: "readRows" | "mutateRows",
    request: Request & { tableName: string },
    deadlineMs: number,
    onMessage: (message: Answer) => void,
  ): Promise<void> {
    const stub = await this.#stub();
    const call = stub[method](this.#profiled(request), routing(request.tableName), { deadline: deadlineMs });
    await new Promise<void>((resolve, reject) => {
      call.on("data", (message: Answer) => {
        try {
          onMessage(message);
        } catch (error) {
          reject(error);
          call.cancel();
        }
      });
      call.on("error", reject);
      call.on("end", resolve);
    });
  }

  async checkAndMutateRow(
    request: Request & { tableName: string },
    deadlineMs: number,
  ): Promise<{ predicateMatched: boolean }> {
    const stub = await this.#stub();
    return new Promise((resolve, reject) => {
      const options = { deadline: deadlineMs };
      stub.checkAndMutateRow(this.#profiled(request), routing(request.tableName), options, (error, answer) =>
        error === null ? resolve(answer as { predicateMatched: boolean }) : reject(error),
      );
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #stub(): Promise<Stub> {
    const client = this.#clients[this.#next++ % this.#clients.length]!;
    return (await client.initialize()) as unknown as Stub;
  }

  #profiled<R extends Request>(request: R): R {
    return this.#appProfileId === undefined ? request : { ...request, appProfileId: this.#appProfileId };
  }
}

/** Returns the options for any of Google's generated clients. */
export function clientOptions(config: BigtableConfig): NonNullable<ConstructorParameters<typeof BigtableClient>[0]> {
  const { projectId, emulatorHost } = config;
  // Every client has connections of its own; grpc-js would otherwise share one connection among all clients.
  const own = {
    projectId,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
  };
  if (emulatorHost === undefined) return own;
  const at = emulatorHost.lastIndexOf(":");
  return {
    ...own,
    servicePath: emulatorHost.slice(0, at),
    port: Number(emulatorHost.slice(at + 1)),
    sslCreds: credentials.createInsecure(),
    // Without this function the client still looks for credentials: it asks a metadata server, which takes seconds
    // where there is none.
    auth: { getUniverseDomain: async () => "googleapis.com", getProjectId: async () => projectId } as never,
  };
}

function routing(tableName: string): Metadata {
  const metadata = new Metadata();
  metadata.set("x-goog-request-params", `table_name=${encodeURIComponent(tableName)}`);
  return metadata;
}
