import type { DeadLetters } from "../../io/ports";
import type { Config } from "../config-schema";
import { gcsLocation } from "./gcs-location";

export async function openDeadLetters(config: Config): Promise<DeadLetters> {
  const { kind, maxBytes, prefix } = config.deadLetters;
  if (kind === "sqlite") {
    const { SqliteDeadLetters } = await import("../../io/sqlite/dead-letters.js");
    return new SqliteDeadLetters({ folder: config.data, maxBytes });
  }
  const { GcsDeadLetters } = await import("../../io/gcs/dead-letters.js");
  return new GcsDeadLetters(gcsLocation(config, prefix));
}
