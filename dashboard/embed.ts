// SPDX-License-Identifier: Apache-2.0
/**
 * `<script src="https://HOST/embed.js"></script> <viewmill-count video="ID" type="VIEW"></viewmill-count>` shows a live
 * number on any page. A page opens one event stream, and stores no cookies or other data. The page styles the text. The
 * service answers GET /embed.js with it.
 */
const origin = new URL((document.currentScript as HTMLScriptElement | null)?.src ?? location.href).origin;
const MOST_VIDEOS = 50;
const POLL_MS = 10_000;

interface Totals {
  [type: string]: { count: number };
}

const counters = new Set<ViewmillCount>();
let source: EventSource | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

class ViewmillCount extends HTMLElement {
  static observedAttributes = ["video", "type"];

  connectedCallback(): void {
    counters.add(this);
    this.setAttribute("role", "status");
    follow();
  }
  disconnectedCallback(): void {
    counters.delete(this);
    follow();
  }
  attributeChangedCallback(): void {
    if (this.isConnected) follow();
  }
  show(totals: Totals): void {
    const count = totals[this.getAttribute("type") ?? "VIEW"]?.count ?? 0;
    this.textContent = count.toLocaleString();
    this.dataset.count = String(count);
  }
}

/** Once for all elements that a page adds in one go. */
function follow(): void {
  clearTimeout(timer);
  timer = setTimeout(connect, 50);
}

function videos(): string[] {
  const named = [...counters].map((counter) => counter.getAttribute("video") ?? "").filter(Boolean);
  return [...new Set(named)].slice(0, MOST_VIDEOS);
}

function show(videoId: string, totals: Totals): void {
  for (const counter of counters) if (counter.getAttribute("video") === videoId) counter.show(totals);
}

function connect(): void {
  source?.close();
  const watched = videos();
  if (watched.length === 0) return;
  source = new EventSource(`${origin}/v1/live?videos=${encodeURIComponent(watched.join(","))}`);
  source.addEventListener("live", (event) => {
    const { totals = {} } = JSON.parse((event as MessageEvent<string>).data) as { totals?: Record<string, Totals> };
    for (const videoId in totals) show(videoId, totals[videoId]!);
  });
  source.addEventListener("error", () => {
    if (source?.readyState === EventSource.CLOSED) void poll();
  });
}

/** Polls where the stream is refused: by a service with too many clients, or a proxy that blocks streams. */
async function poll(): Promise<void> {
  for (const videoId of videos()) {
    try {
      const answer = await fetch(`${origin}/v1/videos/${encodeURIComponent(videoId)}`);
      if (answer.ok) show(videoId, ((await answer.json()) as { totals: Totals }).totals);
    } catch {
      // The next turn asks again.
    }
  }
  timer = setTimeout(poll, POLL_MS);
}

customElements.define("viewmill-count", ViewmillCount);

export {};
