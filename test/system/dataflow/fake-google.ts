// SPDX-License-Identifier: Apache-2.0
/**
 * A recording server of the REST APIs that submitting uses, each host below its name
 * (`/dataflow.googleapis.com/v1b3/...`). It refuses what Google's types do not know, answers from a GoogleWorld, and
 * does to requests what a test's faults say.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { DataflowJobRequest, DataflowJobState } from "../../../engine/dataflow";
import { crc32cText } from "../../../io/gcs/crc32c";
import { type FakeAnswer, FakeJobs, refusal } from "./fake-jobs";
import { type GoogleWorld, type ImageLabels, wholeWorld } from "./google-world";
import { wrongFields, wrongParameters } from "./message-types";

interface RecordedRequest {
  method: string;
  host: string;
  path: string;
  query: URLSearchParams;
  body: Buffer;
}

/**
 * A status is answered without doing anything; a lost answer belongs to something that was done; a cut request was not
 * even read.
 */
export type Fault = "none" | 429 | 500 | 503 | "lost-answer" | "cut";

type Handler = (request: RecordedRequest, match: RegExpExecArray) => FakeAnswer;

const TOKEN = "ya29.fake";

/**
 * Variables by which Google's library finds the fake as its metadata server. One of them says that a metadata server
 * exists, because the library looks only once in a process, perhaps in another test.
 */
export const metadataServerOf = ({ endpoint }: FakeGoogle) => ({
  GCE_METADATA_HOST: endpoint.replace("http://", ""),
  METADATA_SERVER_DETECTION: "assume-present",
});

export class FakeGoogle {
  readonly requests: RecordedRequest[] = [];
  readonly objects = new Map<string, Buffer>();
  readonly jobs: FakeJobs;
  /** Parts of requests that Google's types do not know. */
  readonly wrong: string[] = [];
  /** Asked for every request, after it was recorded. */
  faultFor: (request: RecordedRequest) => Fault = () => "none";
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(readonly world: GoogleWorld) {
    this.jobs = new FakeJobs((url) => this.objects.get(url));
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(world: GoogleWorld = wholeWorld()): Promise<FakeGoogle> {
    const fake = new FakeGoogle(world);
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  readonly token = async (): Promise<string> => TOKEN;

  /** Requests that ask for a change: of the world, that is; tests of permissions change nothing. */
  get changes(): RecordedRequest[] {
    return this.requests.filter(({ method, path }) => method !== "GET" && !path.endsWith(":testIamPermissions"));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const url = new URL(incoming.url ?? "/", "http://fake");
    const [, first = "", rest = "/"] = /^\/([^/]+\.[a-z]+)(\/.*)$/.exec(url.pathname) ?? [];
    const request: RecordedRequest = {
      method: incoming.method ?? "",
      // Google's Cloud Storage client knows one server only.
      host: first || "storage.googleapis.com",
      path: first === "" ? url.pathname : rest,
      query: url.searchParams,
      body: Buffer.concat(chunks),
    };
    if (request.path.startsWith("/computeMetadata/")) {
      this.#metadata(request, response);
      return;
    }
    this.requests.push(request);
    const fault = this.faultFor(request);
    if (fault === "cut") {
      incoming.socket.destroy();
      return;
    }
    if (typeof fault === "number") {
      send(response, refusal(fault, "UNAVAILABLE", "try again"));
      return;
    }
    const answer =
      incoming.headers.authorization === `Bearer ${TOKEN}`
        ? this.#handle(request)
        : refusal(401, "UNAUTHENTICATED", "no credentials");
    if (fault === "lost-answer") incoming.socket.destroy();
    else send(response, answer);
  }

  #handle(request: RecordedRequest): FakeAnswer {
    const api = request.host.endsWith(".pkg.dev") ? "registry" : request.host;
    const needed = api === "registry" ? "artifactregistry.googleapis.com" : api;
    if (api !== "serviceusage.googleapis.com" && !this.world.apis.has(needed)) {
      return refusal(403, "PERMISSION_DENIED", `${needed} has not been used in project ${this.world.project} before`);
    }
    for (const [wantedApi, method, pattern, handler] of this.#routes) {
      const match = pattern.exec(request.path);
      if (wantedApi === api && method === request.method && match !== null) return handler(request, match);
    }
    this.wrong.push(`${request.method} ${request.host}${request.path} is not known`);
    return refusal(404, "NOT_FOUND", "no such method");
  }

  /** A metadata server, which gives credentials to programs that run on Google's machines. */
  #metadata({ path }: RecordedRequest, response: ServerResponse): void {
    const found = this.world.hasCredentials;
    response.statusCode = found ? 200 : 404;
    response.setHeader("Metadata-Flavor", "Google");
    response.setHeader("content-type", path.endsWith("/token") ? "application/json" : "application/text");
    const token = { access_token: TOKEN, expires_in: 3600, token_type: "Bearer" };
    response.end(path.endsWith("/token") && found ? JSON.stringify(token) : "googleapis.com");
  }

  readonly #jobsPath = /^\/v1b3\/projects\/([^/]+)\/locations\/([^/]+)\/jobs$/;
  readonly #jobPath = /^\/v1b3\/projects\/([^/]+)\/locations\/([^/]+)\/jobs\/([^/]+)$/;

  readonly #routes: readonly [string, string, RegExp, Handler][] = [
    [
      "dataflow.googleapis.com",
      "POST",
      this.#jobsPath,
      (request, at) => this.#inRegion(at, () => this.#create(request)),
    ],
    [
      "dataflow.googleapis.com",
      "GET",
      this.#jobsPath,
      ({ query }, at) => this.#inRegion(at, () => this.#checked("ListJobsRequest", query, () => this.jobs.list(query))),
    ],
    ["dataflow.googleapis.com", "GET", this.#jobPath, (_, at) => this.#inRegion(at, () => this.jobs.get(at[3]!))],
    [
      "dataflow.googleapis.com",
      "PUT",
      this.#jobPath,
      ({ body }, at) =>
        this.#inRegion(at, () => {
          const job = JSON.parse(body.toString()) as { requestedState: DataflowJobState };
          return this.#typed("Job", job, () => this.jobs.request(at[3]!, job.requestedState));
        }),
    ],
    [
      "dataflow.googleapis.com",
      "GET",
      /^\/v1b3\/projects\/([^/]+)\/locations\/([^/]+)\/jobs\/([^/]+)\/messages$/,
      ({ query }, at) =>
        this.#inRegion(at, () =>
          this.#checked("ListJobMessagesRequest", query, () => this.jobs.messages(at[3]!, query)),
        ),
    ],
    [
      "storage.googleapis.com",
      "POST",
      /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/,
      (request, at) => this.#upload(request, at[1]!),
    ],
    [
      "storage.googleapis.com",
      "GET",
      /^\/storage\/v1\/b\/([^/]+)\/iam\/testPermissions$/,
      ({ query }, at) => this.#bucket(query, at[1]!),
    ],
    [
      "serviceusage.googleapis.com",
      "GET",
      /^\/v1\/projects\/([^/]+)\/services:batchGet$/,
      ({ query }, at) => this.#services(query, at[1]!),
    ],
    [
      "cloudresourcemanager.googleapis.com",
      "POST",
      /^\/v1\/projects\/([^/]+):testIamPermissions$/,
      ({ body }) => granted(body, this.world.permissions),
    ],
    [
      "iam.googleapis.com",
      "POST",
      /^\/v1\/projects\/-\/serviceAccounts\/([^/]+):testIamPermissions$/,
      ({ body }, at) => {
        const permissions = this.world.serviceAccounts.get(at[1]!);
        return permissions === undefined
          ? refusal(404, "NOT_FOUND", `unknown service account`)
          : granted(body, permissions);
      },
    ],
    [
      "pubsub.googleapis.com",
      "GET",
      /^\/v1\/(projects\/[^/]+\/subscriptions\/[^/]+)$/,
      (_, at) => found(this.world.subscriptions.get(at[1]!), at[1]!),
    ],
    [
      "pubsub.googleapis.com",
      "POST",
      /^\/v1\/(projects\/[^/]+\/subscriptions\/[^/]+):seek$/,
      (_, at) => found(this.world.subscriptions.has(at[1]!) ? {} : undefined, at[1]!),
    ],
    [
      "bigtableadmin.googleapis.com",
      "GET",
      /^\/v2\/(projects\/[^/]+\/instances\/[^/]+(\/tables\/[^/]+)?)$/,
      (_, at) => found(this.world.bigtable.has(at[1]!) ? { name: at[1] } : undefined, at[1]!),
    ],
    [
      "registry",
      "GET",
      /^\/v2\/(.+)\/manifests\/([^/]+)$/,
      ({ host }, at) => this.#manifest(`${host}/${at[1]}`, at[2]!),
    ],
    ["registry", "GET", /^\/v2\/(.+)\/blobs\/([^/]+)$/, (_, at) => found(this.#blobs.get(at[2]!), at[2]!)],
  ];

  #create({ body }: RecordedRequest): FakeAnswer {
    const job = JSON.parse(body.toString()) as DataflowJobRequest;
    return this.#typed("Job", job, () => this.jobs.create(job));
  }

  #inRegion([, project, region]: RegExpExecArray, handle: () => FakeAnswer): FakeAnswer {
    if (project !== this.world.project) return refusal(404, "NOT_FOUND", `project ${project} not found`);
    if (!this.world.regions.has(region!)) return refusal(400, "INVALID_ARGUMENT", `invalid location ${region}`);
    return handle();
  }

  #typed(type: string, json: unknown, handle: () => FakeAnswer): FakeAnswer {
    return this.#refusing(wrongFields(type, json), handle);
  }

  #checked(type: string, query: URLSearchParams, handle: () => FakeAnswer): FakeAnswer {
    return this.#refusing(wrongParameters(type, query), handle);
  }

  #refusing(problems: readonly string[], handle: () => FakeAnswer): FakeAnswer {
    this.wrong.push(...problems);
    return problems.length === 0 ? handle() : refusal(400, "INVALID_ARGUMENT", problems.join("; "));
  }

  /** `multipart/related`: the metadata, then the bytes. */
  #upload({ query, body }: RecordedRequest, bucket: string): FakeAnswer {
    if (!this.world.buckets.has(bucket)) return refusal(404, "NOT_FOUND", `bucket ${bucket}`);
    const text = body.toString("latin1");
    const boundary = text.slice(0, text.indexOf("\r\n"));
    const parts = text.split(boundary).slice(1, -1);
    const content = parts.map((part) => part.slice(part.indexOf("\r\n\r\n") + 4, -2));
    const metadata = JSON.parse(content[0] ?? "{}") as { name?: string };
    const name = query.get("name") ?? metadata.name ?? "";
    const bytes = Buffer.from(content[1] ?? "", "latin1");
    this.objects.set(`gs://${bucket}/${name}`, bytes);
    const md5Hash = createHash("md5").update(bytes).digest("base64");
    const told = { name, bucket, size: String(bytes.byteLength), crc32c: crc32cText(bytes), md5Hash, generation: "1" };
    return { status: 200, body: told };
  }

  #bucket(query: URLSearchParams, bucket: string): FakeAnswer {
    const granted = this.world.buckets.get(bucket);
    if (granted === undefined) return refusal(404, "NOT_FOUND", `The specified bucket does not exist.`);
    const permissions = query.getAll("permissions").filter((each) => granted.has(each));
    return { status: 200, body: permissions.length === 0 ? {} : { permissions } };
  }

  #services(query: URLSearchParams, project: string): FakeAnswer {
    if (project !== this.world.project) return refusal(403, "PERMISSION_DENIED", `project ${project} is not known`);
    const services = query.getAll("names").map((name) => ({
      name: name.replace(/^projects\/[^/]+/, "projects/1234"),
      state: this.world.apis.has(name.split("/").at(-1)!) ? "ENABLED" : "DISABLED",
    }));
    return { status: 200, body: { services } };
  }

  readonly #blobs = new Map<string, unknown>();

  #manifest(repository: string, reference: string): FakeAnswer {
    if (reference.startsWith("sha256:")) return found(this.#blobs.get(reference), reference);
    const image = this.world.images.get(`${repository}:${reference}`);
    if (image === undefined)
      return { status: 404, body: { errors: [{ code: "MANIFEST_UNKNOWN", message: "not found" }] } };
    return { status: 200, body: this.#manifestOf(image) };
  }

  #manifestOf({ labels, architecture = "amd64", indexed = false }: ImageLabels): unknown {
    const configuration = { os: "linux", architecture, config: labels === null ? {} : { Labels: labels } };
    const manifest = { schemaVersion: 2, config: { digest: this.#blob(configuration) }, layers: [] };
    if (!indexed) return manifest;
    const platforms = [
      { digest: "sha256:0", platform: { os: "unknown", architecture: "unknown" } },
      { digest: this.#blob(manifest), platform: { os: "linux", architecture } },
    ];
    return { schemaVersion: 2, manifests: platforms };
  }

  #blob(json: unknown): string {
    const digest = `sha256:${createHash("sha256").update(JSON.stringify(json)).digest("hex")}`;
    this.#blobs.set(digest, json);
    return digest;
  }
}

function granted(body: Buffer, permissions: ReadonlySet<string>): FakeAnswer {
  const asked = (JSON.parse(body.toString()) as { permissions: string[] }).permissions;
  const has = asked.filter((permission) => permissions.has(permission));
  return { status: 200, body: has.length === 0 ? {} : { permissions: has } };
}

const found = (body: unknown, name: string): FakeAnswer =>
  body === undefined ? refusal(404, "NOT_FOUND", `${name} not found`) : { status: 200, body };

function send(response: ServerResponse, { status, body }: FakeAnswer): void {
  response.statusCode = status;
  response.setHeader("content-type", "application/json; charset=UTF-8");
  response.end(JSON.stringify(body));
}
