// SPDX-License-Identifier: Apache-2.0
/**
 * Creates a bucket in the emulator, which has none; in a project its owner creates them. The cluster stack and the look
 * of Schemathesis at a cluster need one.
 */
export async function createBucket(endpoint: string, project: string, name: string): Promise<void> {
  const answer = await fetch(`${endpoint}/storage/v1/b?project=${project}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });
  if (!answer.ok && answer.status !== 409)
    throw new Error(`no bucket ${name}: ${answer.status} ${await answer.text()}`);
}
