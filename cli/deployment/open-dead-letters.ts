import type { DeadLetters } from "../../io/ports";
import type { Config } from "../config-schema";

export async function openDeadLetters(config: Config): Promise<DeadLetters> {
  const { kind, maxBytes } = config.deadLetters;
  if (kind === "sqlite") {
    const { SqliteDeadLetters } = await import("../../io/sqlite/dead-letters.js");
    return new SqliteDeadLetters({ folder: config.data, maxBytes });
  }
  throw new Error("dead letters in Cloud Storage are not connected");
}
