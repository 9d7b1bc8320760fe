// SPDX-License-Identifier: Apache-2.0
/**
 * What a data folder was first counted with. The stream process, `serve` and bounded runs compare it with their
 * configuration before they count.
 */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Settings } from "../config/schema";

/**
 * The properties that the stream of a data folder may not change, because its objects are named by them and its ledger
 * is kept by them.
 */
export interface StreamIdentity {
  /**
   * The writer name in the archive objects of this data folder, so that two folders never write the same names into one
   * archive.
   */
  writer: string;
  videoShards: number;
}

class StreamIdentityError extends Error {
  override readonly name = "StreamIdentityError";
}

const FILE = "stream.json";

/**
 * Returns the folder's identity, which the first call makes. Throws StreamIdentityError where the configuration
 * contradicts it.
 */
export function streamIdentity({ data, stream }: Settings<"data" | "stream">): StreamIdentity {
  const file = join(data, FILE);
  if (!existsSync(file)) {
    const made: StreamIdentity = {
      writer: `stream-${randomUUID().slice(0, 8)}`,
      videoShards: stream.videoShards,
    };
    writeFileSync(file, `${JSON.stringify(made)}\n`, { flag: "wx" });
  }
  const identity = JSON.parse(readFileSync(file, "utf8")) as StreamIdentity;
  if (identity.videoShards !== stream.videoShards) {
    throw new StreamIdentityError(
      `stream.videoShards is ${stream.videoShards}, but the ledger of ${data} is kept by ${identity.videoShards}: keep that number, or start a new data folder`,
    );
  }
  return identity;
}
