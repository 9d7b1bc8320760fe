// SPDX-License-Identifier: Apache-2.0
/** `viewmill demo`: made-up traffic that looks like a real site's, and a service that counts it. */
import { type AddressInfo, createServer } from "node:net";
import { DEMO_VIDEOS } from "../../../cli/demo/channels";
import { DemoTraffic } from "../../../cli/demo/traffic";
import { isEventType, isVideoId } from "../../../domain/event";
import { cleanUp, type Ended, startViewmill, until, viewmill } from "../../system/end-to-end/service";

const NOW_MS = Date.UTC(2026, 10, 29, 18, 30);
const HOUR_MS = 3_600_000;

interface Ledger {
  totals: { accepted: number; duplicate: number; rejected: number };
}
interface Sent {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime: number;
}

function made(minutes: number, seed = 1, nowMs = NOW_MS): string[] {
  return [...new DemoTraffic({ seed, nowMs, perMinute: 360, offsetMs: 0 }).history(minutes)].flat();
}

const parsed = (lines: readonly string[]): Sent[] =>
  lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as Sent];
    } catch {
      return [];
    }
  });
const good = (lines: readonly string[]) =>
  parsed(lines).filter(
    ({ eventId, videoId, eventType, eventTime }) =>
      eventId !== undefined && isVideoId(videoId) && isEventType(eventType) && typeof eventTime === "number",
  );

describe("the traffic", () => {
  it("is the same for the same seed", () => {
    expect(made(60)).toEqual(made(60));
    expect(made(60, 2)).not.toEqual(made(60));
  });

  it("lies within its time, with repeats and events that are refused", () => {
    const lines = made(120);
    const events = good(lines);
    for (const { eventTime } of events) {
      expect(eventTime).toBeLessThanOrEqual(NOW_MS);
      expect(eventTime).toBeGreaterThanOrEqual(NOW_MS - 121 * 60_000);
    }
    const repeats = lines.length - new Set(lines).size;
    expect(repeats / lines.length).toBeGreaterThan(0.015);
    expect(repeats / lines.length).toBeLessThan(0.06);
    const bad = lines.length - events.length;
    expect(bad / lines.length).toBeGreaterThan(0.001);
    expect(bad / lines.length).toBeLessThan(0.01);
  });

  it("follows the day: the evening has more than the night", () => {
    const events = good(made(48 * 60));
    const at = (hour: number) =>
      events.filter(
        ({ eventTime }) => Math.floor(eventTime / HOUR_MS) === Math.floor(NOW_MS / HOUR_MS) - 18 - 24 + hour,
      ).length;
    expect(at(20)).toBeGreaterThan(4 * at(4));
  });

  it("has one video that goes viral, and a long tail", () => {
    const viewsOf = (from: number, to: number) => {
      const counts = new Map<string, number>();
      for (const { videoId, eventTime } of good(made(90)))
        if (eventTime >= NOW_MS - from * 60_000 && eventTime < NOW_MS - to * 60_000)
          counts.set(videoId, (counts.get(videoId) ?? 0) + 1);
      return counts;
    };
    const { videoId } = new DemoTraffic({ seed: 1, nowMs: NOW_MS, perMinute: 1, offsetMs: 0 }).viral;
    const [before, now] = [viewsOf(90, 40), viewsOf(10, 0)];
    const most = (counts: Map<string, number>) => [...counts].sort((a, b) => b[1] - a[1])[0]![0];
    expect(most(before)).not.toBe(videoId);
    expect(most(now)).toBe(videoId);
    expect(before.size).toBeGreaterThan(DEMO_VIDEOS.length / 2);
  });

  it("of the present has events that are hours late", () => {
    const traffic = new DemoTraffic({ seed: 1, nowMs: NOW_MS, perMinute: 6_000, offsetMs: 0 });
    const events = good(traffic.live(NOW_MS, 60_000));
    const late = events.filter(({ eventTime }) => eventTime < NOW_MS - HOUR_MS);
    expect(late.length / events.length).toBeGreaterThan(0.001);
    expect(late.length / events.length).toBeLessThan(0.01);
  });
});

it("every video has an id that the service accepts, and a title of its own", () => {
  for (const { videoId } of DEMO_VIDEOS) expect(isVideoId(videoId)).toBe(true);
  expect(new Set(DEMO_VIDEOS.map(({ videoId }) => videoId)).size).toBe(DEMO_VIDEOS.length);
});

describe("the command", () => {
  afterEach(cleanUp);

  it("shows a service whose books hold all of the traffic, and commands that work", { timeout: 240_000 }, async () => {
    const demo = startViewmill(["demo", "--port", "0", "--history", "60"]);
    const shown = (pattern: RegExp) =>
      until(`the demo shows ${pattern}`, () => pattern.exec(demo.ended.stdout) ?? undefined, 180_000);
    const [, url] = await shown(/^viewmill demo on (http:\S+)/m);
    const [, accepted, refused] = await shown(/history counted in .* s: (\d+) events accepted, (\d+) refused/);
    const { totals } = (await (await fetch(`${url}/v1/ledger`)).json()) as Ledger;
    expect(totals.accepted).toBeGreaterThanOrEqual(Number(accepted));
    expect(totals.rejected).toBeGreaterThanOrEqual(Number(refused));
    expect(totals.duplicate).toBeGreaterThan(0);
    expect(Number(refused)).toBeGreaterThan(0);
    const commands = [...demo.ended.stdout.matchAll(/^ {2}(npx viewmill|curl -s) (.*)$/gm)];
    expect(commands).toHaveLength(3);
    for (const [, program, rest] of commands) {
      if (program === "curl -s") expect((await fetch(rest!.replaceAll("'", ""))).status).toBe(200);
      else expect(await viewmill(rest!.split(" "))).toMatchObject({ code: 0, stderr: "" } satisfies Partial<Ended>);
    }
    demo.child.kill("SIGINT");
    await until("the demo ends", () => demo.ended.code === 0);
    expect(demo.ended.stdout).toMatch(/^live: \d+ events accepted, \d+ refused$/m);
  });

  it("says what is wrong where its port is taken", { timeout: 60_000 }, async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    try {
      const demo = await viewmill(["demo", "--port", String((holder.address() as AddressInfo).port)]);
      expect(demo.code).toBe(1);
      expect(demo.stderr).toContain("the port is in use");
    } finally {
      holder.close();
    }
  });
});
