// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { Supervisor } from "../../../cli/programs/supervisor";

test("a supervised process starts with an allocator that gives memory back, Node's flags and the rest of the environment", async () => {
  const modulePath = join(mkdtempSync(join(tmpdir(), "viewmill-child-")), "child.cjs");
  const program =
    "const { MALLOC_ARENA_MAX: max, PATH: path } = process.env; process.send({ max, path, flags: process.execArgv });";
  writeFileSync(modulePath, program);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const logger = pino({ level: "silent" });
  const nodeArgs = ["--max-semi-space-size=8"];
  const supervisor = new Supervisor({ name: "child", modulePath, args: [], nodeArgs, logger, onMessage: resolve });
  supervisor.start();
  try {
    const max = process.env.MALLOC_ARENA_MAX ?? "1";
    expect(await promise).toEqual({ max, path: process.env.PATH, flags: [...process.execArgv, ...nodeArgs] });
  } finally {
    await supervisor.stop();
  }
});
