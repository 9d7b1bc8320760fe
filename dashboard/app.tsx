// SPDX-License-Identifier: Apache-2.0
/**
 * The dashboard: one page, five views, chosen by the part of the address behind `#`. index.html loads it, and the
 * service answers GET / with both.
 */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Found, findVideos, KEY_WANTED, takeKey } from "./api";
import { ago, moment } from "./format";
import { type LiveState, useLive } from "./live";
import { ChannelPage } from "./pages/channel";
import { NowPage } from "./pages/now";
import { TopPage } from "./pages/top";
import { TrustPage } from "./pages/trust";
import { VideoPage } from "./pages/video";
import { addressOf, type Place, placeOf, videoAddress } from "./place";

const VIEWS = [
  { name: "now", label: "Now" },
  { name: "top", label: "Top" },
  { name: "trust", label: "Trust" },
] as const;

const LINKS: Readonly<Record<LiveState["link"], string>> = {
  connecting: "connecting",
  live: "live",
  polling: "polling",
  offline: "no connection",
};

function App() {
  const place = usePlace();
  const live = useLive({
    videos: place.view === "video" ? [place.videoId] : [],
    channels: place.view === "channel" ? [place.channelId] : [],
    books: true,
  });
  useEffect(() => {
    document.title = titleOf(place);
  }, [place]);
  return (
    <>
      <button type="button" class="skip" onClick={toMain}>
        Skip to the numbers
      </button>
      <Header place={place} live={live} />
      <KeyForm />
      <main id="main" tabIndex={-1}>
        {place.view === "now" && <NowPage live={live} />}
        {place.view === "video" && <VideoPage key={place.videoId} place={place} live={live} />}
        {place.view === "channel" && <ChannelPage key={place.channelId} place={place} live={live} />}
        {place.view === "top" && <TopPage place={place} />}
        {place.view === "trust" && <TrustPage live={live} />}
      </main>
      <footer>
        <a href="/docs">API</a> <a href="/openapi.json">OpenAPI</a> <a href="/metrics">Metrics</a>
        <a href="/readyz">Readiness</a>
      </footer>
    </>
  );
}

function titleOf(place: Place): string {
  if (place.view === "video") return `${place.videoId} · Viewmill`;
  return place.view === "channel" ? `${place.channelId} · Viewmill` : "Viewmill";
}

/** Where the service wants a key: asked for once a tab. */
function KeyForm() {
  const [wanted, setWanted] = useState(false);
  const [key, setKey] = useState("");
  useEffect(() => {
    const want = () => setWanted(true);
    addEventListener(KEY_WANTED, want);
    return () => removeEventListener(KEY_WANTED, want);
  }, []);
  if (!wanted) return null;
  const take = (event: Event) => {
    event.preventDefault();
    if (key.trim() !== "") takeKey(key.trim());
  };
  return (
    <form class="form panel" onSubmit={take}>
      <label>
        This service wants a key that may read (to send refused events again, one that may operate)
        <input type="password" autocomplete="off" value={key} onInput={(event) => setKey(event.currentTarget.value)} />
      </label>
      <button type="submit" class="primary">
        Use this key
      </button>
    </form>
  );
}

/** A button and not a link, because the address behind `#` belongs to the view. */
function toMain(): void {
  document.getElementById("main")?.focus();
}

function Header({ place, live }: { place: Place; live: LiveState }) {
  return (
    <header>
      <a class="brand" href="#/">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" />
          <path d="M7 23V15M13 23V9M19 23v-6M25 23V12" />
        </svg>
        Viewmill
      </a>
      <nav aria-label="Views">
        {VIEWS.map(({ name, label }) => (
          <a key={name} href={addressOf(name)} aria-current={place.view === name ? "page" : undefined}>
            {label}
          </a>
        ))}
      </nav>
      <OpenVideo />
      <Link live={live} />
    </header>
  );
}

const MOST_FOUND = 8;
const SEARCH_AFTER_MS = 150;

/** Opens a video by its id. The typed text finds ids and titles that begin with it. */
function OpenVideo() {
  const [videoId, setVideoId] = useState("");
  const found = useSearch(videoId.trim());
  const open = (event: Event) => {
    event.preventDefault();
    const typed = videoId.trim();
    // A title that was chosen or typed in full stands for its video.
    const asked = found.find(({ title }) => title === typed)?.videoId ?? typed;
    if (asked !== "") location.hash = videoAddress(asked);
  };
  return (
    <search>
      <form class="open-video" onSubmit={open}>
        <input
          aria-label="Find a video by id or title"
          placeholder="Find a video by id or title"
          maxLength={128}
          list="found"
          value={videoId}
          onInput={(event) => setVideoId(event.currentTarget.value)}
        />
        <datalist id="found">
          {found.map(({ videoId: id, title }) => (
            <option key={id} value={title ?? id} label={title === undefined ? "" : id} />
          ))}
        </datalist>
        <button type="submit">Open</button>
      </form>
    </search>
  );
}

/** Finds videos whose id or title begins with the text, once typing pauses. */
function useSearch(typed: string): Found["videos"] {
  const [found, setFound] = useState<Found["videos"]>([]);
  useEffect(() => {
    if (typed === "") return setFound([]);
    let stopped = false;
    const timer = setTimeout(() => {
      findVideos(typed, MOST_FOUND).then(
        ({ videos }) => stopped || setFound(videos),
        () => stopped || setFound([]),
      );
    }, SEARCH_AFTER_MS);
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [typed]);
  return found;
}

/** Shows how current the screen is: the numbers hold every event accepted before this time. */
function Link({ live }: { live: LiveState }) {
  const known = live.completeThroughMs > 0;
  return (
    <p class={`link ${live.link}`} title={known ? `complete through ${moment(live.completeThroughMs)}` : undefined}>
      <span class="dot" aria-hidden="true" />
      <span>{LINKS[live.link]}</span>
      {known && <span class="since">complete to {ago(live.completeThroughMs, live.asOfMs)}</span>}
    </p>
  );
}

function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const moved = () => setPlace(placeOf(location.hash));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return place;
}

const root = document.getElementById("app");
if (root !== null) {
  root.textContent = "";
  render(<App />, root);
}
