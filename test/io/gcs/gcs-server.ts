// SPDX-License-Identifier: Apache-2.0
/** The emulator of Cloud Storage with one bucket. */
import { randomUUID } from "node:crypto";
import { type GcsEmulator, type GcsOptions, startGcsEmulator } from "../../../servers";

export const BUCKET = "viewmill-test";

export async function startGcsServer(options: GcsOptions = {}): Promise<GcsEmulator> {
  const server = await startGcsEmulator(options);
  const answer = await fetch(`${server.endpoint}/storage/v1/b?project=test`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: BUCKET }),
  });
  if (!answer.ok) throw new Error(`no bucket: ${await answer.text()}`);
  return server;
}

/** A prefix that no other test has. */
export const freshPrefix = (): string => `test-${randomUUID()}`;
