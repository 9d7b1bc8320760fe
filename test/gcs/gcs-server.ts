/** fake-gcs-server for tests: on a free port, stopped when the test file ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** VIEWMILL_FAKE_GCS_SERVER, or what the PATH has; undefined: tests that need it are skipped. */
export const GCS_SERVER = findServer();

export const BUCKET = "viewmill-test";

export class GcsServer {
  #process: ChildProcess | undefined;
  #ended: Promise<void> | undefined;

  private constructor(
    readonly port: number,
    /** Objects outlive a restart only below a folder; empty: in memory. */
    private readonly folder: string,
  ) {}

  static async start(folder = ""): Promise<GcsServer> {
    const server = new GcsServer(await freePort(), folder);
    await server.start();
    const answer = await fetch(`${server.endpoint}/storage/v1/b?project=test`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: BUCKET }),
    });
    if (!answer.ok) throw new Error(`no bucket: ${await answer.text()}`);
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const backend =
      this.folder === "" ? ["-backend", "memory"] : ["-backend", "filesystem", "-filesystem-root", this.folder];
    const address = [
      "-scheme",
      "http",
      "-host",
      "127.0.0.1",
      "-port",
      String(this.port),
      "-external-url",
      this.endpoint,
    ];
    this.#process = spawn(GCS_SERVER!, [...backend, ...address, "-log-level", "error"], { stdio: "ignore" });
    this.#ended = new Promise((resolve) => this.#process?.once("exit", () => resolve()));
    for (let attempt = 0; attempt < 200; attempt++) {
      const answer = await fetch(`${this.endpoint}/_internal/healthcheck`).catch(() => undefined);
      if (answer?.ok) return;
      await pause(50);
    }
    throw new Error("fake-gcs-server did not come up within 10 s");
  }

  /** kill -9, and waits until it is gone. */
  async stop(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#ended;
  }
}

/** A prefix that no other test has. */
export const freshPrefix = (): string => `test-${randomUUID()}`;

function findServer(): string | undefined {
  const named = process.env.VIEWMILL_FAKE_GCS_SERVER;
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "fake-gcs-server"));
  return [...(named ? [named] : []), ...onPath].find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
