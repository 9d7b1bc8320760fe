// SPDX-License-Identifier: Apache-2.0
/** A question to an HTTP server whose answer shows that the server is up. The starts of servers wait for it. */

const ANSWER_MS = 5_000;

/** The body of a 200 as JSON; rejects on anything else. */
export async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
  return response.json();
}

/** True when the URL answers 200 with JSON. */
export async function httpAnswers(url: string): Promise<boolean> {
  await getJson(url);
  return true;
}
