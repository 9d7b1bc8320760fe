// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Command } from "commander";
import * as counts from "../../../cli/commands/counts";
import * as ledger from "../../../cli/commands/ledger";
import * as top from "../../../cli/commands/top";
import { iso, MINUTE, QueryHarness } from "../../query-api/query-harness";

const T = Date.parse("2026-11-20T10:00:00Z");

describe("reading from a terminal", () => {
  let harness: QueryHarness;
  let server: Server;
  let url: string;
  let out = "";
  let err = "";
  beforeEach(async () => {
    [out, err] = ["", ""];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += text;
      return true;
    });
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      err += text;
      return true;
    });
    harness = await QueryHarness.start();
    server = createServer(harness.app);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
    server.closeAllConnections();
    server.close();
    await harness.stop();
  });

  async function run(...words: string[]): Promise<void> {
    const program = new Command();
    for (const command of [counts, top, ledger]) command.register(program);
    await program.parseAsync(words, { from: "user" });
  }
  const range = ["--start", iso(T), "--end", iso(T + 2 * MINUTE)];

  it("counts prints the buckets in which something happened", async () => {
    await harness.count("a/b", T + MINUTE, 7);
    await run("counts", "a/b", ...range, "--url", url);
    expect(out.split("\n").slice(0, 3)).toEqual([
      "a/b VIEW: 7 from 2026-11-20 10:00Z to 2026-11-20 10:02Z",
      "minute             count  state",
      "2026-11-20 10:01Z      7  final",
    ]);
  });

  it("top and ledger print tables; --json prints the service's answer", async () => {
    await harness.count("v", T, 7);
    await harness.accept(T, 3);
    await run("top", ...range, "--url", url);
    expect(out).toContain("1  v          7");
    out = "";
    await run("ledger", ...range, "--url", url);
    expect(out).toMatch(/2026-11-20 10:00Z +3 +0 +0 +0 +0 +not yet/);
    expect(out).toContain("rejected on receipt: 0");
    out = "";
    await run("counts", "v", "--type", "LIKE", "--url", url, "--json");
    expect(JSON.parse(out)).toMatchObject({ videoId: "v", eventType: "LIKE", count: 0 });
  });

  it("a service that cannot be reached, or that refuses, is one line and exit 1", async () => {
    await run("counts", "v", "--start", "yesterday", "--url", url);
    expect(err).toBe("viewmill: start: must be an RFC 3339 time since 1970, such as 2026-11-21T10:00:00Z\n");
    expect(process.exitCode).toBe(1);
    [err, process.exitCode] = ["", undefined];
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await run("top", "--url", url);
    expect(err).toBe(`viewmill: cannot reach ${url}: ECONNREFUSED (is it running? npm start, or --url)\n`);
    expect(process.exitCode).toBe(1);
    err = "";
    await run("ledger", "--url", "nowhere");
    expect(err).toBe("viewmill: --url must be an http URL, not nowhere\n");
  });
});
