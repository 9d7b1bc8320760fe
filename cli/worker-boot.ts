/** The program of a worker that the runner starts itself (PROCESS environment, container): scripts/worker-boot.sh calls it. */
import { spawn } from "node:child_process";
import { boot, bootVariable, type StartSibling } from "../engine/boot";
import { commandLine, environment } from "./environment";

const [node = "", program = "", ...args] = commandLine();

/** A worker beside this one: the same program, ended with it. */
const startSibling: StartSibling = (itsArgs, stop) =>
  new Promise((resolve, reject) => {
    const child = spawn(node, [...process.execArgv, program, ...itsArgs], { stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
    const end = () => child.kill("SIGTERM");
    if (stop.aborted) end();
    else stop.addEventListener("abort", end, { once: true });
  });

boot(args, environment()[bootVariable], startSibling).then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${JSON.stringify({ level: 60, msg: `worker failed: ${String(error?.stack ?? error)}` })}\n`);
    process.exit(1);
  },
);
