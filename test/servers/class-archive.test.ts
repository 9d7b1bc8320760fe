// SPDX-License-Identifier: Apache-2.0
/**
 * A virtual machine maps the classes that the last one of its kind loaded. The test uses a real one, because no other
 * knows whether an archive is used.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassArchive } from "../../servers/class-archive";
import { ServerProcess } from "../../servers/server-process";
import { describeWithServers } from "./with-servers";

const PROGRAM = `public class Waits {
  static class Work { Object deed = new SomethingDone(); }
  public static void main(String[] args) throws Exception {
    if (args.length > 0) new Work();
    System.out.println("up");
    new java.util.concurrent.CountDownLatch(1).await();
  }
}
class SomethingDone {}`;
const LOADED = /Waits\$Work source: (.*)/;
const FROM_ARCHIVE = /shared objects file \(top\)/;

describeWithServers("an archive of classes", ["bigtable"], () => {
  let folder = "";
  let jar = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-classes-"));
    const classes = join(folder, "classes");
    mkdirSync(classes);
    writeFileSync(join(folder, "Waits.java"), PROGRAM);
    jar = join(folder, "waits.jar");
    for (const [tool, ...args] of [
      ["javac", "-d", classes, join(folder, "Waits.java")],
      ["jar", "--create", "--file", jar, "-C", classes, "."],
    ] as const)
      expect([tool, spawnSync(tool, args).status]).toEqual([tool, 0]);
  });
  beforeEach(() => {
    vi.stubEnv("VIEWMILL_CACHE", mkdtempSync(join(folder, "cache-")));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts it, takes it away as `how` says, and tells where the class of the work came from. */
  async function run(how: (process: ServerProcess) => Promise<void>, ...work: string[]): Promise<string | undefined> {
    const own = mkdtempSync(join(folder, "run-"));
    const classes = new ClassArchive({ name: "waits", classPath: [jar], wanted: "SomethingDone", folder: own });
    const log = join(own, "waits.log");
    const server = new ServerProcess({
      name: "waits",
      command: "java",
      args: [...classes.jvmArgs(), "-Xlog:class+load", "-cp", jar, "Waits", ...work],
      folder: own,
      answers: async () => /^up$/m.test(readFileSync(log, "utf8")),
      classes,
    });
    await server.start();
    await how(server);
    expect(server.pid).toBeUndefined();
    return LOADED.exec(readFileSync(log, "utf8"))?.[1];
  }

  const inOrder = (process: ServerProcess) => process.end();
  const archives = () => readdirSync(process.env.VIEWMILL_CACHE!, { recursive: true, encoding: "utf8" });

  test("of a process that did its work is used by the next", async () => {
    expect(await run(inOrder, "work")).not.toMatch(FROM_ARCHIVE);
    expect(archives()).toEqual(["class-archives", expect.stringMatching(/waits-[0-9a-f]{8}\.jsa$/)]);
    expect(await run(inOrder, "work")).toMatch(FROM_ARCHIVE);
    expect(archives()).toHaveLength(2);
  }, 60_000);

  test("of a process that did not, or was killed, is not kept", async () => {
    expect(await run(inOrder)).toBeUndefined();
    await run((process) => process.kill(), "work");
    expect(archives()).toEqual([]);
  }, 60_000);

  test("that is damaged is not used, and stops nobody", async () => {
    await run(inOrder, "work");
    const [, name] = archives();
    const file = join(process.env.VIEWMILL_CACHE!, `${name}`);
    // A virtual machine writes it for reading only.
    rmSync(file);
    writeFileSync(file, "no archive");
    expect(await run(inOrder, "work")).not.toMatch(FROM_ARCHIVE);
  }, 60_000);
});
