// SPDX-License-Identifier: Apache-2.0
/**
 * GET /v1/pixel.gif, an event as the request for an image, for pages that cannot run a script. `Ingest` answers it, and
 * the event goes the way of all others.
 */

import { isUtf8 } from "node:buffer";

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
/** The members that may be numbers in JSON; any other text of theirs, e.g. an RFC 3339 time, stays a text. */
const NUMBERS = new Set(["eventTime", "value"]);
/** RFC 8259, section 6. */
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** What a pixel's address holds: the JSON body of a POST, or text that is no UTF-8, as it stands in the address. */
type PixelEvent = { kind: "event"; body: Buffer } | { kind: "undecodable"; member: string; payload: Buffer };

/** The content type of what is kept of an address that cannot be decoded. */
export const PIXEL_QUERY_TYPE = "application/x-www-form-urlencoded";

/**
 * Returns the event of a pixel's address. A repeated member becomes an array, which no event may hold. `query`: the
 * text behind the question mark.
 */
export function pixelEvent(query: string): PixelEvent {
  const pairs = query.split("&").flatMap(memberOf);
  const undecodable = pairs.find(({ pair }) => !isUtf8(bytesOf(pair)));
  if (undecodable !== undefined) {
    const payload = Buffer.from(pairs.map(({ pair }) => pair).join("&"));
    return { kind: "undecodable", member: undecodable.name, payload };
  }
  const members: string[] = [];
  for (const name of MEMBERS) {
    const given = pairs.filter((one) => one.name === name).map(({ text }) => jsonOf(name, text));
    if (given.length > 0) members.push(`"${name}":${given.length === 1 ? given[0] : `[${given.join(",")}]`}`);
  }
  return { kind: "event", body: Buffer.from(`{${members.join(",")}}`) };
}

/** A pair of the address that is a member of an event: decoded, and as it stands. */
interface MemberPair {
  name: string;
  text: string;
  pair: string;
}

/** Returns none where the pair is no member of an event. */
function memberOf(pair: string): MemberPair[] {
  // Behind another character, a question mark is a part of the name.
  const [[name, text] = ["", ""]] = new URLSearchParams(`&${pair}`);
  return MEMBERS.includes(name) ? [{ name, text, pair }] : [];
}

/** Returns the bytes that the percent signs of a pair stand for. */
const bytesOf = (pair: string): Buffer =>
  Buffer.from(
    pair.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    "latin1",
  );

/**
 * Returns a member's value as JSON. A number stands in the body as it stands in the address, so that the intake judges
 * its text as it judges that of a POST. A `+` of a time that the address turned into a space is read as `+`, as in
 * reads.
 */
function jsonOf(name: string, text: string): string {
  if (NUMBERS.has(name) && JSON_NUMBER.test(text)) return text;
  return JSON.stringify(name === "eventTime" ? text.replace(/ (?=\d\d:\d\d$)/, "+") : text);
}
