// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { columnar, event, json, MINUTE_MS } from "./events";
import { cleanUp, type Ended, type Environment, endAll, Service, temporaryFolder, until, viewmill } from "./service";

// ---------------------------------------------------------------- what cannot start says so

const START_FAILS_WITHIN_MS = 20_000;

function serve(folder: string, flags: string[] = [], environment: Environment = {}): Promise<Ended> {
  return viewmill(["serve", "--port", "0", "--data", folder, ...flags], environment, START_FAILS_WITHIN_MS);
}

function expectOneLine({ code, signal, stdout, stderr }: Ended, says: RegExp): void {
  expect({ code, signal, stdout, lines: stderr.trimEnd().split("\n").length }).toEqual({
    code: 1,
    signal: null,
    stdout: "",
    lines: 1,
  });
  expect(stderr).toMatch(says);
}

describe("what cannot start says why in one line, and exits 1", () => {
  afterEach(cleanUp);

  it("a second service on the same data folder; the first one goes on", async () => {
    const first = await Service.start();
    expectOneLine(await serve(first.folder), /^viewmill: .*in use/);
    await first.deliver(json(event()));
    await first.counted();
    expect(await first.total("video-1")).toBe(1);
  });

  it("a port in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      const folder = temporaryFolder();
      const ended = await viewmill(["serve", "--port", String(port), "--data", folder], {}, START_FAILS_WITHIN_MS);
      expectOneLine(ended, new RegExp(`^viewmill: .*127\\.0\\.0\\.1:${port}: the port is in use`));
    } finally {
      server.close();
    }
  });

  it("a data folder that is a file", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    expectOneLine(await serve(file), /^viewmill: The data folder .*file cannot be written/);
    expectOneLine(await serve(join(file, "below")), /^viewmill: The data folder .*below cannot be written/);
  });

  it("a data folder that cannot be written", async () => {
    expectOneLine(await serve(unwritable()), /^viewmill: The data folder .* cannot be written/);
  });

  it("an unknown key in the configuration file, named with its file", async () => {
    const file = join(temporaryFolder(), "viewmill.yaml");
    writeFileSync(file, "http:\n  prot: 8080\n");
    expectOneLine(await serve(temporaryFolder(), ["--config", file]), /viewmill\.yaml: unknown key "http\.prot"/);
  });

  it("an unknown variable in the environment, named", async () => {
    const ended = await serve(temporaryFolder(), [], { VIEWMILL_HTTP_PROT: "1" });
    expectOneLine(ended, /unknown variable VIEWMILL_HTTP_PROT/);
  });

  it("a value out of bounds, and an unknown flag", async () => {
    const ended = await serve(temporaryFolder(), [], { VIEWMILL_STREAM_MAX_CPU_SHARE: "7" });
    expectOneLine(ended, /stream\.maxCpuShare/);
    const { code, stderr } = await serve(temporaryFolder(), ["--prot", "1"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("--prot") });
  });

  for (const file of ["log.sqlite", "counters.sqlite", "dead-letters.sqlite"]) {
    it(`a ${file} that is not a database`, async () => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, file), Buffer.alloc(100_000, "damaged "));
      expectOneLine(await serve(folder), new RegExp(`${file}: not a database`));
    });
  }
});

/** A folder that no user can write: permissions do not bind root, but the kernel's own file system does. */
function unwritable(): string {
  if (process.getuid?.() === 0) return "/sys/viewmill";
  const folder = temporaryFolder();
  chmodSync(folder, 0o555);
  return folder;
}

// ---------------------------------------------------------------- a full disk

interface Disk {
  means: string;
  /** A data folder on it. */
  create(): string;
  fill(service: Service): Promise<void>;
  free(service: Service): Promise<void>;
  remove(): void;
}

/** A small file system of its own, filled with one file. Needs the right to mount. */
function tmpfs(): Disk {
  let mount = "";
  const ballast = () => join(mount, "ballast");
  return {
    means: "a small file system that another file fills",
    create() {
      mount = temporaryFolder();
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=96m", "viewmill-test", mount], { stdio: "ignore" });
      return join(mount, "data");
    },
    async fill() {
      const file = openSync(ballast(), "a");
      try {
        for (const block of [1 << 20, 4096]) fillWith(file, Buffer.alloc(block, 1));
      } finally {
        closeSync(file);
      }
      expect(statfsSync(mount).bavail).toBe(0);
    },
    async free() {
      rmSync(ballast());
    },
    remove() {
      // Lazily: a killed process may be seen as ended while its last thread still closes its files.
      if (mount !== "") execFileSync("umount", ["--lazy", mount], { stdio: "ignore" });
    },
  };
}

function fillWith(file: number, block: Buffer): void {
  try {
    for (;;) writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}

/** No process of the service may write beyond the first byte of any file: needs no rights. */
function fileSizeLimit(): Disk {
  const limit = (service: Service, bytes: string) => {
    for (const pid of service.alive()) execFileSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:unlimited`]);
  };
  return {
    means: "a limit on the size of files",
    create: temporaryFolder,
    fill: async (service) => limit(service, "1"),
    free: async (service) => limit(service, "unlimited"),
    remove: () => {},
  };
}

function canMount(): boolean {
  const disk = tmpfs();
  try {
    disk.create();
    disk.remove();
    return true;
  } catch {
    return false;
  }
}

const disks = process.platform !== "linux" ? [] : canMount() ? [tmpfs(), fileSizeLimit()] : [fileSizeLimit()];

describe.skipIf(disks.length === 0)("a full disk (needs Linux)", () => {
  afterEach(cleanUp);

  for (const disk of disks) {
    it(`(${disk.means}): writes are answered 503 with Retry-After, nothing acknowledged is lost, all goes on with space`, async () => {
      try {
        await fillAndFree(disk);
      } finally {
        await endAll();
        disk.remove();
      }
    }, 120_000);
  }
});

async function fillAndFree(disk: Disk): Promise<void> {
  const service = await Service.start({ folder: disk.create() });
  const startedMs = Date.now();
  const acknowledged: string[] = [];
  let sent = 0;
  const send = async () => {
    const videoId = `batch-${sent++}`;
    const response = await service.post(columnar(Array.from({ length: 500 }, () => event({ videoId }))));
    const content = await response.text();
    if (response.status === 202) acknowledged.push(videoId);
    return { status: response.status, headers: response.headers, content };
  };
  for (let n = 0; n < 20; n++) expect((await send()).status).toBe(202);
  await service.counted();

  await disk.fill(service);
  const refused = await until("a write is refused", async () => {
    const answer = await send();
    return answer.status === 202 ? undefined : answer;
  });
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(refused.headers.get("content-type")).toBe("application/problem+json");
  for (let n = 0; n < 50; n++) expect([202, 503]).toContain((await send()).status);
  expect(await service.total("batch-0")).toBe(500);

  await disk.free(service);
  await until("a write is accepted again", async () => (await send()).status === 202);
  await service.counted();
  await until("it is ready", async () => (await fetch(`${service.url}/readyz`)).status === 200);
  for (const videoId of acknowledged) expect([videoId, await service.total(videoId)]).toEqual([videoId, 500]);
  const { totals } = await service.ledger(startedMs - MINUTE_MS, Date.now() + MINUTE_MS);
  expect(totals).toMatchObject({ balanced: true, accepted: acknowledged.length * 500, duplicate: 0 });
  const { code, report } = await service.audit();
  expect({ code, outcome: report.outcome, events: report.events }).toEqual({
    code: 0,
    outcome: "equal",
    events: acknowledged.length * 500,
  });
  expect(await service.stop()).toBe(0);
}

// ---------------------------------------------------------------- a stream that cannot write, a damaged archive

// Each with a service of its own, and the first waits for half a minute: side by side.
describe.concurrent("a service", () => {
  afterAll(cleanUp);

  it("a stream that cannot write the counters waits, is not restarted, and /readyz and the log say so until it can", async () => {
    const service = await Service.start();
    await service.deliver(json(event()));
    await service.counted();
    const other = new DatabaseSync(join(service.folder, "counters.sqlite"));
    const logged = (text: string) => service.log.filter(({ msg }) => msg === text);
    const ready = async () => {
      const response = await fetch(`${service.url}/readyz`);
      const { dependencies } = (await response.json()) as { dependencies: { name: string; detail: string }[] };
      return { status: response.status, stream: dependencies.find(({ name }) => name === "stream")?.detail ?? "" };
    };
    try {
      other.exec("BEGIN IMMEDIATE");
      await service.deliver(json(event()));
      const { stream } = await until("not ready", async () => {
        const now = await ready();
        return now.status === 503 && now.stream.includes("waits") && now;
      });
      expect(stream).toMatch(/running, 0 restarts, waits: .*locked by another process/);
      const waits = logged("the stream waits for a store").length;
      await until("it tries again", () => logged("the stream waits for a store").length > waits);
      expect((await ready()).status).toBe(503);
    } finally {
      other.close();
    }
    await until("it is ready", async () => (await ready()).status === 200);
    await service.counted();
    expect(await service.total("video-1")).toBe(2);
    expect(logged("stream process ended, restarting")).toEqual([]);
  }, 180_000);

  it("a stream that is killed is shown by /readyz or restarted, and its events are counted", async () => {
    const service = await Service.start();
    for (let n = 0; n < 3; n++) {
      await service.kill9("stream");
      await service.deliver(json(event()));
    }
    await service.counted();
    expect(await service.total("video-1")).toBe(3);
    const { dependencies } = await service.get<{ dependencies: { name: string; detail: string }[] }>("/readyz");
    expect(dependencies.find(({ name }) => name === "stream")?.detail).toContain("3 restarts, last exit: SIGKILL");
  }, 60_000);

  describe("an archive object that is missing or cut", () => {
    for (const damage of ["missing", "cut", "flipped"] as const) {
      it(`(${damage}): the audit exits 4 and --repair does not lower the counters`, async () => {
        const service = await Service.start();
        const eventTime = Date.now() - 10 * MINUTE_MS;
        await service.deliver(columnar(Array.from({ length: 200 }, () => event({ eventTime }))));
        await service.counted();
        await service.deliver(columnar(Array.from({ length: 100 }, () => event({ eventTime }))));
        await service.counted();
        expect((await service.audit()).code).toBe(0);
        damageObject(service.folder, eventTime, damage);
        for (const flags of [[], ["--repair"]]) {
          const { code, report } = await service.audit(...flags);
          expect({ code, outcome: report.outcome, repaired: report.cellsRepaired }).toEqual({
            code: 4,
            outcome: "not-comparable",
            repaired: 0,
          });
          expect(report.notComparable).toMatchObject([
            { minute: new Date(Math.floor(eventTime / MINUTE_MS) * MINUTE_MS).toISOString() },
          ]);
          expect(await service.total("video-1")).toBe(300);
        }
        // A later event of that minute must not make the stream recount it from what is left, and lower it.
        await service.deliver(json(event({ eventTime })));
        await service.kill9("stream");
        await service.deliver(json(event({ eventTime })));
        await service.deliver(json(event({ videoId: "other" })));
        await until("the stream goes on", async () => (await service.total("other")) === 1);
        expect(await service.total("video-1")).toBeGreaterThanOrEqual(300);
      }, 120_000);
    }
  });
});

function damageObject(folder: string, eventTime: number, damage: "missing" | "cut" | "flipped"): void {
  const [date, time] = new Date(eventTime).toISOString().split("T") as [string, string];
  const minute = join(folder, "archive", `date=${date}`, `hour=${time.slice(0, 2)}`, `minute=${time.slice(3, 5)}`);
  const [first] = readdirSync(minute).sort();
  const file = join(minute, first!);
  const content = readFileSync(file);
  if (damage === "missing") rmSync(file);
  else if (damage === "cut") truncateSync(file, content.length - 40);
  else {
    content[content.length - 100]! ^= 1;
    writeFileSync(file, content);
  }
}
