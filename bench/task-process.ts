// SPDX-License-Identifier: Apache-2.0
/**
 * The process of a task: argument 1 the module, 2 the task's name, 3 its parameters (JSON). Answers by messages
 * (task.ts). task.ts starts it.
 */
import { commandLine } from "../cli/environment";
import { definedTask, peakRssBytes, type TaskContext, type TaskMessage } from "./task";

function tell(message: TaskMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()));
}

async function main(): Promise<void> {
  const [, , file = "", name = "", parameters = "null"] = commandLine();
  const stopped = new Promise<void>((resolve) => {
    process.on("message", () => resolve());
  });
  // Nobody is left to take the result.
  process.on("disconnect", () => process.exit(1));
  const context: TaskContext = { ready: (value) => void tell({ kind: "ready", value }), stopped };
  await import(file);
  const result = await definedTask(name).run(JSON.parse(parameters), context);
  const { user, system } = process.cpuUsage();
  await tell({ kind: "result", result, usage: { cpuS: (user + system) / 1e6, peakRssBytes: peakRssBytes() } });
}

main().then(
  () => process.exit(0),
  async (error: unknown) => {
    await tell({ kind: "error", stack: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exit(1);
  },
);
