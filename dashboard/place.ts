// SPDX-License-Identifier: Apache-2.0
/** Addresses of views. The application (app.tsx) chooses its view by the address, and pages make their links here. */

/**
 * Where somebody is in the dashboard: `#/`, `#/video/ID?...`, `#/channel/ID?...`, `#/top?...`, `#/trust`. The address
 * reproduces the view.
 */
export type Place =
  | { view: "now" | "trust" }
  | { view: "top"; asked: URLSearchParams }
  | { view: "channel"; channelId: string; asked: URLSearchParams }
  | { view: "video"; videoId: string; asked: URLSearchParams };

export function placeOf(hash: string): Place {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?", 2);
  const asked = new URLSearchParams(search);
  const [, kind, id = ""] = /^\/(video|channel)\/(.+)$/.exec(path) ?? [];
  if (kind === "video") return { view: "video", videoId: decoded(id), asked };
  if (kind === "channel") return { view: "channel", channelId: decoded(id), asked };
  if (path === "/top") return { view: "top", asked };
  return { view: path === "/trust" ? "trust" : "now" };
}

export const addressOf = (view: "now" | "top" | "trust"): string => (view === "now" ? "#/" : `#/${view}`);

export const videoAddress = (videoId: string): string => `#/video/${encodeURIComponent(videoId)}`;

export const channelAddress = (channelId: string): string => `#/channel/${encodeURIComponent(channelId)}`;

/** Changes the questions behind the address without a new entry in the browser's history. */
export function askAnew(path: string, asked: Readonly<Record<string, string>>): void {
  const search = new URLSearchParams(asked).toString();
  history.replaceState(null, "", search === "" ? path : `${path}?${search}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
