// SPDX-License-Identifier: Apache-2.0
/**
 * The program of a worker that the runner starts itself (PROCESS environment, container), by scripts/worker-boot.sh.
 * Dataflow runs it in Viewmill's image, and Flink in its PROCESS environment.
 */
import { boot, bootVariable } from "../../engine/boot";
import { commandLine, environment } from "../environment";

boot(commandLine().slice(2), environment()[bootVariable]).then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${JSON.stringify({ level: 60, msg: `worker failed: ${String(error?.stack ?? error)}` })}\n`);
    process.exit(1);
  },
);
