// SPDX-License-Identifier: Apache-2.0
/**
 * Two services behind a real nginx, and two archivers, over Pub/Sub, Bigtable and Cloud Storage: under load each is
 * stopped or killed in turn and started again. Nobody sees an error, and what was acknowledged is counted once. A
 * bounded run counts here; the deaths of the streaming job itself are in test/system/cluster.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { configSchema } from "../../../cli/config/schema";
import { createPlaces } from "../../../cli/deployment/create-places";
import { createBucket } from "../../../demo/create-bucket";
import { archiverProcess, type Build, instance, thisBuild, viewmillCommand } from "../../../demo/viewmill-process";
import {
  freePort,
  keptFolder,
  Nginx,
  removeKeptFolder,
  type ServerProcess,
  startBigtableEmulator,
  startGcsEmulator,
  startPubsubEmulator,
} from "../../../servers";
import { deadline } from "../../deadline";
import { describeWithPrograms } from "../../programs";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { until } from "../../until";
import { unpackEarlierBuild } from "./earlier-build";

const SENDERS = 4;
const TEST_DEADLINE_MS = 480_000;
const MINUTE_MS = 60_000;
const LOOK_EVERY_MS = 200;
/** A sender's pause between two events while nothing is stopped or killed. */
const CALM_MS = 50;

const STORES = ["log", "counters", "ledger", "archive", "dead letters", "claims"];
const DEPENDENCIES = [...STORES, "archiver", "job", "ingest accounts", "last audit"];

interface Books {
  totals: { accepted: number; archived: number };
  minutes: { start: string; balanced: boolean }[];
}

interface Sent {
  acknowledged: Set<string>;
  failures: string[];
}

describeWithPrograms("two of everything", ["nginx"], () => {
  describeWithServers("over shared stores", ["pubsub", "bigtable", "gcs"], () => {
    let folder = "";
    let configFile = "";
    let earlier: Build;
    let build: Build;
    let nginx: Nginx;
    let urls: string[] = [];
    const emulators: { stop(): Promise<void> }[] = [];
    const serves: ServerProcess[] = [];
    const archivers: ServerProcess[] = [];

    beforeAll(async () => {
      folder = await keptFolder("two");
      const [pubsub, bigtable, gcs] = await Promise.all([
        startPubsubEmulator(),
        startBigtableEmulator(),
        startGcsEmulator(),
      ]);
      emulators.push(pubsub, bigtable, gcs);
      const common = {
        log: { kind: "pubsub", pubsub: { endpoint: pubsub.host, restEndpoint: pubsub.restUrl } },
        archive: { kind: "gcs", maxPortionAgeMs: 2_000 },
        gcs: { endpoint: gcs.endpoint },
        counters: { kind: "bigtable", endpoint: bigtable.host },
        deadLetters: { kind: "gcs" },
        claims: { kind: "gcs" },
      };
      const config = configSchema.parse({ ...common, http: { drainSeconds: 1 } });
      configFile = join(folder, "viewmill.json");
      writeFileSync(configFile, JSON.stringify(config));
      // The earlier build refuses what it does not know, so it gets the settings that differ from the defaults.
      const earlierConfigFile = join(folder, "earlier.json");
      writeFileSync(earlierConfigFile, JSON.stringify(common));
      earlier = { main: unpackEarlierBuild(join(folder, "earlier")), configFile: earlierConfigFile };
      await createPlaces(config, { partitions: 1 });
      await createBucket(config.gcs.endpoint, config.project, config.gcs.bucket);
      const ports = [await freePort(), await freePort()];
      urls = ports.map((port) => `http://127.0.0.1:${port}`);
      for (const [n, port] of ports.entries()) {
        const serve = ["serve", "--port", String(port)] as const;
        serves.push(instance(`serve-${n}`, folder, () => build, serve, `http://127.0.0.1:${port}`));
        archivers.push(await archiverProcess(`archiver-${n}`, folder, () => build));
      }
      build = earlier;
      await Promise.all([...serves, ...archivers].map((each) => each.start()));
      build = thisBuild(configFile)();
      nginx = await Nginx.start(join(folder, "nginx"), ports);
    }, COLD_START_MS);
    afterAll(async () => {
      await nginx?.stop();
      await Promise.all([...serves, ...archivers].map((each) => each.end()));
      await Promise.all(emulators.map((each) => each.stop()));
      if (folder !== "") await removeKeptFolder(folder);
    }, 120_000);

    /** While it is set, senders pause: without it they take both processors from what they wait for. */
    let isCalm = false;
    /** Load goes on meanwhile, with pauses. Whatever is stopped or killed next has every sender's request under way. */
    async function calmly(work: () => Promise<unknown>): Promise<void> {
      isCalm = true;
      await work();
      isCalm = false;
    }

    /** Sends one event per request until it is to stop. An answer that is no 202 is a failure; the event goes again. */
    async function send(name: string, sent: Sent, stop: AbortSignal): Promise<void> {
      for (let n = 0; !stop.aborted; n++) {
        const eventId = `${name}-${n}`;
        const event = { eventId, videoId: "shared", eventType: "VIEW", eventTime: Date.now() };
        for (let accepted = false; !accepted; ) {
          try {
            const response = await fetch(`${nginx.url}/v1/events`, {
              method: "POST",
              headers: { "Content-Type": "application/json" },
              body: JSON.stringify(event),
            });
            const text = await response.text();
            accepted = response.status === 202;
            if (!accepted) sent.failures.push(`${response.status} ${text.slice(0, 200)}`);
          } catch (error) {
            sent.failures.push(String(error));
          }
        }
        sent.acknowledged.add(eventId);
        if (isCalm) await delay(CALM_MS);
      }
    }

    /** Sends an event without a time to one of the services, past nginx. */
    async function sendUntimed(url: string | undefined): Promise<void> {
      const response = await fetch(`${url}/v1/events`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ eventId: "untimed", videoId: "untimed", eventType: "VIEW" }),
      });
      expect(response.status).toBe(202);
    }

    const get = async <T>(path: string): Promise<T> => {
      const response = await fetch(`${nginx.url}${path}`);
      if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    };
    const video = (id = "shared") =>
      get<{ totals: { VIEW?: { count: number } }; completeThrough: string }>(`/v1/videos/${id}`);
    const counted = async (id?: string): Promise<number> => (await video(id)).totals.VIEW?.count ?? 0;
    const minuteText = (timeMs: number) => new Date(Math.floor(timeMs / MINUTE_MS) * MINUTE_MS).toISOString();

    /** Waits until the archive has so many events, and counts it. Returns what asks for the books since then. */
    async function countedFrom(startedAtMs: number, events: number): Promise<() => Promise<Books>> {
      const [start, end] = [startedAtMs, Date.now() + MINUTE_MS].map((timeMs) => new Date(timeMs).toISOString());
      const ledger = () => get<Books>(`/v1/ledger?start=${start}&end=${end}`);
      await until(
        "the archive has what was promised",
        async () => {
          const { accepted, archived } = (await ledger()).totals;
          if (archived >= events && archived === accepted) return true;
          throw new Error(`${archived} archived, ${accepted} accepted, ${events} acknowledged`);
        },
        240_000,
      );
      const fromTo = ["--from", minuteText(startedAtMs), "--to", minuteText(Date.now() + MINUTE_MS)];
      const counting = ["pipeline", "stream", "--runner", "direct", "--config", configFile, ...fromTo];
      const ended = await viewmillCommand(...counting);
      expect([ended.status, ended.stderr]).toEqual([0, ""]);
      return ledger;
    }

    it(
      "nobody sees an error while each is stopped, killed and started again, and everything is counted once",
      async () => {
        const sent: Sent = { acknowledged: new Set(), failures: [] };
        const stop = new AbortController();
        const startedAtMs = Date.now();
        await sendUntimed(urls[0]);
        const firstAnsweredAtMs = Date.now();
        const senders = Array.from({ length: SENDERS }, (_, n) => send(`s${n}`, sent, stop.signal));
        const more = async (events: number) => {
          const upTo = sent.acknowledged.size + events;
          await until("events are acknowledged", () => sent.acknowledged.size >= upTo, 120_000);
        };
        await more(50);
        // Nothing is counted yet, so an answer that is complete past the first event's acceptance is wrong.
        const wrong: string[] = [];
        const looking = setInterval(() => {
          video()
            .then(({ completeThrough }) => {
              if (Date.parse(completeThrough) > firstAnsweredAtMs) wrong.push(completeThrough);
            })
            .catch((error: unknown) => wrong.push(String(error)));
        }, LOOK_EVERY_MS);
        // Rolling: one after the other stops in order, and is started again.
        for (const each of [...serves, ...archivers]) {
          await each.kill("SIGTERM");
          await more(30);
          await calmly(() => each.start());
          await more(30);
        }
        expect(sent.failures).toEqual([]);
        const { dependencies } = await get<{ dependencies: { name: string }[] }>("/readyz");
        expect(dependencies.map(({ name }) => name)).toEqual(expect.arrayContaining(DEPENDENCIES));
        // Nobody answers for the part of a killed archiver until its lease is over, so the archivers go first.
        for (const each of [...archivers, ...serves]) {
          await each.kill("SIGKILL");
          await more(30);
          await calmly(() => each.start());
          await more(30);
        }
        // What has begun to pass nginx when an instance is killed cannot go to another one.
        expect(sent.failures.length).toBeLessThanOrEqual(serves.length * SENDERS);
        const isOver = () => minuteText(Date.now()) !== minuteText(startedAtMs);
        await calmly(() => until("the minute is over", isOver, 90_000));
        await sendUntimed(urls[1]);
        stop.abort();
        await Promise.all(senders);
        clearInterval(looking);
        const endedAtMs = Date.now();
        expect(wrong).toEqual([]);

        const ledger = await countedFrom(startedAtMs, sent.acknowledged.size + 2);
        // The archivers were killed with messages that they had archived and not acknowledged, or not listed.
        expect((await ledger()).minutes.filter(({ balanced }) => !balanced)).toEqual([]);
        expect(await counted()).toBe(sent.acknowledged.size);
        // The retry went to the other service, in another minute, after both had been killed.
        expect(await counted("untimed")).toBe(1);
        await until(
          "the answer is complete through the last event",
          async () => Date.parse((await video()).completeThrough) > endedAtMs,
          240_000,
        );
        expect(await counted()).toBe(sent.acknowledged.size);
        expect((await ledger()).minutes.filter(({ balanced }) => !balanced)).toEqual([]);
      },
      deadline(TEST_DEADLINE_MS),
    );
  });
});
