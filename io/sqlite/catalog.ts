// SPDX-License-Identifier: Apache-2.0
/**
 * The catalog of videos and channels: catalog.sqlite, one file, which may be copied to other machines. Any number of
 * processes read the file during a load: a reader sees each transaction of a load whole or not at all.
 * `viewmill catalog` and the catalog endpoint load it, and the read API looks videos up in it.
 */
import type { DatabaseSync } from "node:sqlite";
import type { CatalogChannel, CatalogVideo } from "../../domain/catalog/catalog-line";
import {
  type ChannelChange,
  type ChannelPoint,
  changed,
  channelAt,
  FIRST_MINUTE,
  RefusedLineError,
  UNKNOWN_CHANNEL,
} from "../../domain/catalog/channel-history";
import type {
  ChannelInfo,
  PublicationPlace,
  RefusedVideo,
  TitlePlace,
  Versioned,
  VideoCatalog,
  VideoInfo,
} from "../ports";
import { CommitsOfOthers } from "./commits-of-others";
import { inTransaction, openDatabase, orUnavailable, type Schema } from "./connection";

export const CATALOG_FILE = "catalog.sqlite";

/**
 * `channel` of a video is its only one, from the first minute on; a video with any other history has NULL there and its
 * points in `channel_points`, where channel 0 is none.
 */
const TABLES = `
CREATE TABLE channels (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title TEXT);
CREATE TABLE videos (
  name TEXT PRIMARY KEY, title TEXT, title_key TEXT, channel INTEGER, has_points INTEGER NOT NULL DEFAULT 0, published_ms INTEGER
) WITHOUT ROWID;
CREATE TABLE channel_points (
  video TEXT NOT NULL, from_minute INTEGER NOT NULL, channel INTEGER NOT NULL, PRIMARY KEY (video, from_minute)
) WITHOUT ROWID;
CREATE INDEX points_by_channel ON channel_points (channel, video);
`;
/** The indexes of `videos`, each over the rows that have a value in its column. */
const INDEXED = [
  ["videos_by_title", "title_key"],
  ["videos_by_channel", "channel"],
  ["videos_by_publication", "published_ms"],
] as const;
const CREATE_INDEXES = INDEXED.map(
  ([name, column]) => `CREATE INDEX IF NOT EXISTS ${name} ON videos (${column}) WHERE ${column} IS NOT NULL;`,
).join("\n");
const DROP_INDEXES = INDEXED.map(([name]) => `DROP INDEX ${name};`).join("\n");
/**
 * SQLite sorts an index in runs as large as its page cache, in a linked list. Runs of 2 MB, which a processor's cache
 * holds, take 3.3 CPU-seconds for the three indexes of a million videos; one run takes 5.8. The second line keeps the
 * pages of the load in memory all the same, up to 512 MB.
 */
const SORT_IN_CORE_CACHE = "PRAGMA cache_size = -2000; PRAGMA cache_spill = 131072;";
const SCHEMA: Schema = { version: 2, migrations: [TABLES, CREATE_INDEXES] };

/** The number of characters by which titles are compared. */
const KEY_CHARACTERS = 128;
/** Rows of one statement: a call for each row costs as much as SQLite's own work on it. */
const ROWS_AT_ONCE = 16;
/** The channel of a point from which on a video has none. */
const NO_CHANNEL = 0;
const NOT_STORED = -1;
const CACHED_CHANNELS = 100_000;
/** A text after every text that begins with the one before it. */
const AFTER_ALL = "\u{10FFFF}";

interface StoredVideo {
  title: string | null;
  channel: number | null;
  has_points: number;
  published_ms: number | null;
}

export interface CatalogOptions {
  /**
   * The bytes of pages in memory. A bulk load needs the whole file there, because ids and titles have no order and
   * touch every page.
   */
  cacheBytes?: number;
}

export class SqliteCatalog implements VideoCatalog, Versioned {
  readonly #db: DatabaseSync;
  readonly #others: CommitsOfOthers;
  /** The changes of this connection, undone ones included. */
  #own = 0;
  readonly #sql: ReturnType<typeof statements>;
  readonly #cacheBytes: number;
  #channelIds = new Map<string, number>();
  /** Titles written by this load: a file repeats a channel's title with each of its videos. */
  #channelTitles = new Map<number, string | null>();

  /** Opens or creates the file. Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor(
    readonly file: string,
    { cacheBytes = 32 << 20 }: CatalogOptions = {},
  ) {
    this.#cacheBytes = cacheBytes;
    this.#db = openDatabase(file, SCHEMA, { cacheBytes, walAutocheckpointPages: 4_000 });
    this.#sql = statements(this.#db);
    this.#others = new CommitsOfOthers(this.#db, file);
  }

  version(): number {
    return this.#own + this.#others.count();
  }

  /** Bytes of the file, with what is not in it yet. */
  get sizeBytes(): number {
    const { bytes } = this.#read(() => this.#sql.size.get())!;
    return Number(bytes);
  }

  /**
   * Runs `work`, and makes of everything that it loads one transaction: a reader sees all of the loads or none, and a
   * failure or a crash leaves none. The indexes are made at the end, which for a load as large as the catalog costs
   * far less than keeping them up row by row. Other writers wait meanwhile.
   */
  async asOneLoad<T>(work: () => Promise<T>): Promise<T> {
    this.#read(() => this.#db.exec(`BEGIN IMMEDIATE; ${DROP_INDEXES}`));
    try {
      const result = await work();
      this.#read(() => this.#db.exec(`${SORT_IN_CORE_CACHE} ${CREATE_INDEXES} COMMIT`));
      return result;
    } finally {
      this.#own++;
      // Left open by a failure only; SQLite may have rolled back by itself.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.#db.exec(`PRAGMA cache_size = -${Math.ceil(this.#cacheBytes / 1024)}; PRAGMA cache_spill = 1`);
      this.#channelIds.clear();
    }
  }

  async loadVideos(videos: readonly CatalogVideo[], nowMinute: number): Promise<readonly RefusedVideo[]> {
    let refused: RefusedVideo[] = [];
    this.#write(() => {
      refused = [];
      for (let from = 0; from < videos.length; from += ROWS_AT_ONCE) {
        const some = videos.slice(from, from + ROWS_AT_ONCE);
        if (!this.#putAllNew(some)) for (const video of some) this.#mergeOrRefuse(video, nowMinute, refused);
      }
    });
    return refused;
  }

  #mergeOrRefuse(video: CatalogVideo, nowMinute: number, refused: RefusedVideo[]): void {
    try {
      this.#merge(video, nowMinute);
    } catch (error) {
      if (!(error instanceof RefusedLineError)) throw error;
      refused.push({ video, detail: error.message });
    }
  }

  async loadChannels(channels: readonly CatalogChannel[]): Promise<void> {
    this.#write(() => {
      for (const { channelId, title } of channels) this.#putChannel(channelId, title);
    });
  }

  async videos(videoIds: readonly string[], nowMinute: number): Promise<Map<string, VideoInfo>> {
    return this.#read(() => {
      const known = new Map<string, VideoInfo>();
      for (const videoId of videoIds) {
        const stored = this.#video(videoId);
        if (stored !== undefined) known.set(videoId, this.#infoOf(videoId, stored, nowMinute));
      }
      return known;
    });
  }

  async channels(channelIds: readonly string[]): Promise<Map<string, ChannelInfo>> {
    return this.#read(() => {
      const known = new Map<string, ChannelInfo>();
      for (const channelId of channelIds) {
        const row = this.#sql.channelByName.get(channelId);
        if (row !== undefined) known.set(channelId, row.title === null ? {} : { title: String(row.title) });
      }
      return known;
    });
  }

  async channelHistory(videoId: string): Promise<readonly ChannelPoint[]> {
    return this.#read(() => {
      const stored = this.#video(videoId);
      return stored === undefined ? [] : this.#historyOf(videoId, stored);
    });
  }

  async videosOf(channelId: string, afterId: string, limit: number): Promise<string[]> {
    return this.#read(() => {
      const id = this.#sql.channelByName.get(channelId)?.id ?? NOT_STORED;
      const point = channelId === UNKNOWN_CHANNEL ? NO_CHANNEL : id;
      return names(this.#sql.videosOf.all({ id, point, afterId, limit }));
    });
  }

  async idsFrom(text: string, afterId: string, limit: number): Promise<string[]> {
    return this.#read(() => names(this.#sql.idsFrom.all(text, text + AFTER_ALL, afterId, limit)));
  }

  async titlesFrom(text: string, after: TitlePlace | undefined, limit: number): Promise<TitlePlace[]> {
    return this.#read(() => {
      const { key, end } = keysFrom(text);
      const { key: afterKey, videoId } = after ?? { key: "", videoId: "" };
      const rows = this.#sql.titlesFrom.all({ key, end, text, textEnd: text + AFTER_ALL, afterKey, videoId, limit });
      return rows.map((row) => ({ key: String(row.title_key), videoId: String(row.name) }));
    });
  }

  async newest(after: PublicationPlace | undefined, limit: number): Promise<PublicationPlace[]> {
    return this.#read(() => {
      const { publishedAtMs, videoId } = after ?? { publishedAtMs: Number.MAX_SAFE_INTEGER, videoId: "" };
      const rows = this.#sql.newest.all({ publishedAtMs, videoId, limit });
      return rows.map((row) => ({ publishedAtMs: Number(row.published_ms), videoId: String(row.name) }));
    });
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }

  #read<T>(work: () => T): T {
    return orUnavailable(this.file, work);
  }

  #write(work: () => void): void {
    this.#own++;
    this.#channelTitles.clear();
    try {
      if (this.#db.isTransaction) this.#read(work);
      else inTransaction(this.#db, work);
    } catch (error) {
      this.#channelIds.clear();
      throw error;
    }
  }

  #video(videoId: string): StoredVideo | undefined {
    return this.#sql.video.get(videoId) as StoredVideo | undefined;
  }

  #infoOf(videoId: string, stored: StoredVideo, nowMinute: number): VideoInfo {
    const info: VideoInfo = {};
    if (stored.title !== null) info.title = stored.title;
    if (stored.published_ms !== null) info.publishedAtMs = stored.published_ms;
    const channelId = channelAt(this.#historyOf(videoId, stored), nowMinute);
    if (channelId === UNKNOWN_CHANNEL) return info;
    info.channelId = channelId;
    const title = this.#sql.channelByName.get(channelId)?.title;
    if (typeof title === "string") info.channelTitle = title;
    return info;
  }

  #historyOf(videoId: string, { channel, has_points }: StoredVideo): readonly ChannelPoint[] {
    if (has_points === 0)
      return channel === null ? [] : [{ fromMinute: FIRST_MINUTE, channelId: this.#channelName(channel) }];
    return this.#sql.points.all(videoId).map((row) => ({
      fromMinute: Number(row.from_minute),
      channelId: this.#channelName(Number(row.channel)),
    }));
  }

  /**
   * Adds videos in one statement. Answers false where not all of them were new: then some may stand as one line made
   * them, which merging all of them one by one does not change.
   */
  #putAllNew(videos: readonly CatalogVideo[]): boolean {
    if (videos.length < ROWS_AT_ONCE || !videos.every(isWholeWhereNew)) return false;
    const values: (string | number | null)[] = [];
    for (const { videoId, title = null, channelId = null, channelTitle, publishedAtMs = null } of videos) {
      const channel = channelId === null ? null : this.#putChannel(channelId, channelTitle);
      values.push(videoId, title, title === null ? null : titleKey(title), channel, publishedAtMs);
    }
    return this.#sql.addVideos.run(...values).changes === ROWS_AT_ONCE;
  }

  #merge(video: CatalogVideo, nowMinute: number): void {
    const { videoId, title, channelId, channelTitle, publishedAtMs, channelFromMinute } = video;
    const stored = this.#video(videoId);
    if (channelTitle !== undefined && typeof channelId !== "string")
      this.#retitle(channelId === undefined ? stored : undefined, video, nowMinute);
    let [channel, hasPoints] = [stored?.channel ?? null, stored?.has_points ?? 0];
    if (channelId !== undefined) {
      const before = stored === undefined ? [] : this.#historyOf(videoId, stored);
      const change: ChannelChange = { channelId: channelId ?? UNKNOWN_CHANNEL };
      if (channelFromMinute !== undefined) change.fromMinute = channelFromMinute;
      // Before anything is written: a full history refuses the whole line.
      const after = changed(before, change, nowMinute);
      if (channelId !== null) this.#putChannel(channelId, channelTitle);
      if (after !== before) [channel, hasPoints] = this.#putHistory(videoId, hasPoints === 0 ? [] : before, after);
    }
    const newTitle = title === undefined ? (stored?.title ?? null) : title;
    const published = publishedAtMs === undefined ? (stored?.published_ms ?? null) : publishedAtMs;
    if (
      stored?.title === newTitle &&
      stored.published_ms === published &&
      stored.channel === channel &&
      stored.has_points === hasPoints
    )
      return;
    const key = newTitle === null ? null : titleKey(newTitle);
    this.#sql.putVideo.run(videoId, newTitle, key, channel, hasPoints, published);
  }

  /** Gives the title of a line without a channel to the channel that the video belongs to. */
  #retitle(stored: StoredVideo | undefined, { videoId, channelTitle }: CatalogVideo, nowMinute: number): void {
    // A channel that a line has given to the video a moment ago holds from the next minute on.
    const channel = stored === undefined ? UNKNOWN_CHANNEL : channelAt(this.#historyOf(videoId, stored), nowMinute + 1);
    if (channel !== UNKNOWN_CHANNEL) this.#putChannel(channel, channelTitle);
    else if (channelTitle !== null) throw new RefusedLineError("channelTitle: the video has no channel");
  }

  /**
   * Writes the points of `after` that are missing in the stored `pointsBefore`. Returns the history's part in the
   * video's row.
   */
  #putHistory(
    videoId: string,
    pointsBefore: readonly ChannelPoint[],
    after: readonly ChannelPoint[],
  ): [channel: number | null, hasPoints: number] {
    const [first] = after;
    const isAlone = after.length === 1 && first!.fromMinute === FIRST_MINUTE && pointsBefore.length === 0;
    // An earlier release stored a channel of this name here.
    if (isAlone && first!.channelId !== UNKNOWN_CHANNEL) return [this.#channelId(first!.channelId), 0];
    const stored = new Set(pointsBefore);
    for (const point of after) {
      if (stored.has(point)) continue;
      const { fromMinute, channelId } = point;
      this.#sql.putPoint.run(
        videoId,
        fromMinute,
        channelId === UNKNOWN_CHANNEL ? NO_CHANNEL : this.#channelId(channelId),
      );
    }
    return [null, 1];
  }

  #putChannel(channelId: string, title: string | null | undefined): number {
    const id = this.#channelId(channelId);
    if (title === undefined || this.#channelTitles.get(id) === title) return id;
    this.#sql.putTitle.run(title, id, title);
    if (this.#channelTitles.size >= CACHED_CHANNELS) this.#channelTitles.clear();
    this.#channelTitles.set(id, title);
    return id;
  }

  #channelId(channelId: string): number {
    const cached = this.#channelIds.get(channelId);
    if (cached !== undefined) return cached;
    this.#sql.addChannel.run(channelId);
    const id = Number(this.#sql.channelByName.get(channelId)!.id);
    if (this.#channelIds.size >= CACHED_CHANNELS) this.#channelIds.clear();
    this.#channelIds.set(channelId, id);
    return id;
  }

  #channelName(id: number): string {
    return id === NO_CHANNEL ? UNKNOWN_CHANNEL : String(this.#sql.channelById.get(id)!.name);
  }
}

/**
 * Whether the line of a new video can be written without a look at what is stored: a channel in it holds for all
 * minutes, and the title of a channel has its channel beside it.
 */
const isWholeWhereNew = ({ channelId, channelTitle, channelFromMinute }: CatalogVideo): boolean =>
  channelFromMinute === undefined && (typeof channelTitle !== "string" || typeof channelId === "string");

/** Returns the title in the form that searches compare: compatible forms of characters are one, and so are cases. */
function titleKey(title: string): string {
  if (/^[ -~]*$/.test(title)) return title.slice(0, KEY_CHARACTERS).toLowerCase();
  return [...title.normalize("NFKC").toLowerCase()].slice(0, KEY_CHARACTERS).join("");
}

/**
 * Returns the bounds of the keys that begin with a text. A small sigma at the end of a word is another letter than one
 * within it, and the end of the text may be either in a title; no other letter is between the two.
 */
function keysFrom(text: string): { key: string; end: string } {
  const key = titleKey(text);
  return { key: key.replace(/σ$/, "ς"), end: key.replace(/ς$/, "σ") + AFTER_ALL };
}

const names = (rows: readonly Record<string, unknown>[]): string[] => rows.map(({ name }) => String(name));

function statements(db: DatabaseSync) {
  return {
    video: db.prepare("SELECT title, channel, has_points, published_ms FROM videos WHERE name = ?"),
    size: db.prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size"),
    addVideos: db.prepare(`INSERT OR IGNORE INTO videos VALUES ${Array(ROWS_AT_ONCE).fill("(?, ?, ?, ?, 0, ?)")}`),
    putVideo: db.prepare("INSERT OR REPLACE INTO videos VALUES (?, ?, ?, ?, ?, ?)"),
    points: db.prepare("SELECT from_minute, channel FROM channel_points WHERE video = ? ORDER BY from_minute"),
    putPoint: db.prepare("INSERT OR REPLACE INTO channel_points VALUES (?, ?, ?)"),
    channelById: db.prepare("SELECT name FROM channels WHERE id = ?"),
    channelByName: db.prepare("SELECT id, title FROM channels WHERE name = ?"),
    addChannel: db.prepare("INSERT INTO channels (name) VALUES (?) ON CONFLICT DO NOTHING"),
    putTitle: db.prepare("UPDATE channels SET title = ? WHERE id = ? AND title IS NOT ?"),
    videosOf: db.prepare(
      `SELECT name FROM videos WHERE channel = :id AND name > :afterId
       UNION SELECT video FROM channel_points WHERE channel = :point AND video > :afterId ORDER BY 1 LIMIT :limit`,
    ),
    idsFrom: db.prepare("SELECT name FROM videos WHERE name >= ? AND name < ? AND name > ? ORDER BY name LIMIT ?"),
    // The rest of one moment, and what is older: each is read along the index.
    newest: db.prepare(
      `SELECT * FROM (SELECT published_ms, name FROM videos WHERE published_ms = :publishedAtMs AND name > :videoId
                       ORDER BY name LIMIT :limit)
       UNION ALL
       SELECT * FROM (SELECT published_ms, name FROM videos WHERE published_ms < :publishedAtMs
                       ORDER BY published_ms DESC, name LIMIT :limit)
       ORDER BY published_ms DESC, name LIMIT :limit`,
    ),
    titlesFrom: db.prepare(
      `SELECT title_key, name FROM videos
        WHERE title_key >= :key AND title_key < :end AND (title_key, name) > (:afterKey, :videoId)
          AND NOT (name >= :text AND name < :textEnd)
        ORDER BY title_key, name LIMIT :limit`,
    ),
  };
}
