// SPDX-License-Identifier: Apache-2.0
/** `npm run servers` as a person uses it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./processes";
import { COLD_START_MS, describeWithServers } from "./with-servers";

const MAIN = join(__dirname, "..", "..", "servers", "main.js");

describeWithServers("npm run servers", ["bigtable", "gcs"], () => {
  let state: string;
  const servers = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, "--state", state, ...args], { encoding: "utf8", timeout: COLD_START_MS });

  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), "viewmill-state-"));
  });
  afterEach(() => {
    servers("down");
    rmSync(state, { recursive: true });
  });

  test(
    "up leaves them running, up again adds what is missing, status asks them, down ends all",
    async () => {
      const first = servers("up", "bigtable");
      expect(first.stderr).toBe("");
      const host = /export BIGTABLE_EMULATOR_HOST=(127\.0\.0\.1:\d+)/.exec(first.stdout)![1]!;
      const second = servers("up", "bigtable", "gcs");
      expect(second.stdout).toContain(`export BIGTABLE_EMULATOR_HOST=${host}`);
      expect(second.stdout).toMatch(/export STORAGE_EMULATOR_HOST=http:\/\/127\.0\.0\.1:\d+/);
      expect(servers("status").stdout).toMatch(/^bigtable +answers +host 127.*\n(.*\n)*gcs +answers/m);
      expect(servers("down").stdout).toMatch(/^down: /);
      expect(servers("status").stdout).not.toContain(" answers");
      expect(readdirSync(state)).toEqual([]);
    },
    COLD_START_MS,
  );

  test(
    "servers of a holder that was killed are gone, and status knows",
    async () => {
      servers("up", "bigtable");
      const [file] = readdirSync(state).filter((name) => name.endsWith(".json"));
      process.kill(Number.parseInt(file!, 10), "SIGKILL");
      await until("status says so", () => !servers("status").stdout.includes(" answers"));
      expect(servers("down").stdout).toBe("nothing was up\n");
    },
    COLD_START_MS,
  );

  test("a name that is none is refused with the names there are", () => {
    const { status, stderr } = servers("up", "oracle");
    expect(status).not.toBe(0);
    expect(stderr).toContain("kafka, bigtable");
  });
});
