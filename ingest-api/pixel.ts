// SPDX-License-Identifier: Apache-2.0
/**
 * GET /v1/pixel.gif, an event as the request for an image, for pages that cannot run a script. `Ingest` answers it, and
 * the event goes the way of all others.
 */

export const PIXEL_PATH = "/v1/pixel.gif";

/** One transparent pixel (GIF89a). */
export const PIXEL = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");

/**
 * Pages of every origin may show the pixel, and no cache may answer instead of the service, because each request is an
 * event.
 */
export const PIXEL_HEADERS = {
  "Content-Type": "image/gif",
  "Cache-Control": "no-store",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

/**
 * The members of an event that a pixel's address may carry. A key or a campaign's own parameters are not part of the
 * event.
 */
const MEMBERS = ["eventId", "videoId", "eventType", "eventTime", "value"];
/** The members that are integers in JSON; an RFC 3339 time stays a text. */
const INTEGERS = new Set(["eventTime", "value"]);

/**
 * Returns the event of a pixel's address, as the JSON body of a POST. A repeated member becomes an array, which no
 * event may hold.
 */
export function pixelEvent(query: URLSearchParams): Buffer {
  const event: Record<string, unknown> = {};
  for (const name of MEMBERS) {
    const given = query
      .getAll(name)
      .map((text) => (INTEGERS.has(name) && /^-?\d{1,16}$/.test(text) ? Number(text) : text));
    if (given.length > 0) event[name] = given.length === 1 ? given[0] : given;
  }
  return Buffer.from(JSON.stringify(event));
}
