// SPDX-License-Identifier: Apache-2.0
/**
 * kill -9 at random moments under load. Every batch has a video of its own and is one entry of the log, so the set of
 * counted batches can be read through the API: an acknowledged batch must be there exactly once, an unanswered one
 * whole or not at all.
 */
import { seeded } from "../../io/ports/condition";
import { columnar, DAY_MS, type Event, event, MINUTE_MS } from "./events";
import { cleanUp, isAlive, Service, until, type Video } from "./service";

const KILLS = 30;
const SENDERS = 4;
const READERS = 8;
const BATCH_EVENTS = 60;
/** Requests between two kills, at most. */
const MAX_ATTEMPTS_APART = 150;
/** Pass after pass, so that a kill seldom finds the stream idle. */
const BUSY = { VIEWMILL_STREAM_MIN_PASS_INTERVAL_MS: "10", VIEWMILL_STREAM_MAX_CPU_SHARE: "1" };
const HOT = "hot";

afterEach(cleanUp);

type Target = "service" | "stream" | "both";
type Fate = "acknowledged" | "unknown";

/** Sends batch after batch, each until its answer or, half of the time, only once. */
class Sender {
  readonly fates = new Map<string, Fate>();
  attempts = 0;

  constructor(
    private readonly name: number,
    private readonly service: Service,
    private readonly random: () => number,
    private readonly stopped: AbortSignal,
  ) {}

  async run(): Promise<void> {
    for (let n = 0; !this.stopped.aborted; n++) {
      const videoId = `sender-${this.name}/batch-${n}`;
      const body = columnar(this.events(videoId, n));
      const patient = this.random() < 0.5;
      this.fates.set(videoId, "unknown");
      do {
        await until("a service to send to", () => this.service.listens(), 60_000);
        if (await this.attempt(body)) {
          this.fates.set(videoId, "acknowledged");
          // A client that lost the answer sends again what is counted already.
          if (this.random() < 0.1) await this.attempt(body);
          break;
        }
      } while (patient && !this.stopped.aborted);
    }
  }

  private async attempt(body: ReturnType<typeof columnar>): Promise<boolean> {
    this.attempts++;
    try {
      const response = await this.service.post(body);
      await response.arrayBuffer();
      return response.status === 202;
    } catch {
      return false;
    }
  }

  /**
   * The batch's own video, every tenth event twice, and one event of the video all batches share. One batch in four is
   * of a minute of its own, that nothing but its own pass ever counts; the others are of the last minutes, which all
   * passes count again.
   */
  private events(videoId: string, n: number): Event[] {
    const own = Math.floor(Date.now() / MINUTE_MS) - 60 - n * SENDERS - this.name;
    const events = Array.from({ length: BATCH_EVENTS }, () => {
      const ago = Math.floor(this.random() * 5 * MINUTE_MS);
      return event({
        videoId,
        eventTime: n % 4 === 0 ? own * MINUTE_MS + (ago % MINUTE_MS) : Date.now() - ago,
        value: 1,
      });
    });
    const repeats = events.filter((_, index) => index % 10 === 0);
    return [...events, ...repeats, event({ videoId: HOT, eventTime: events[0]!.eventTime })];
  }
}

it(`after ${KILLS} kills at random moments nothing acknowledged is missing and nothing is counted twice`, async () => {
  const seed = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`kill seed: ${seed} (KILL_SEED=${seed} repeats its choices)\n`);
  const random = seeded(seed);
  const startedMs = Date.now();
  const service = await Service.start({ environment: BUSY });
  const stopped = new AbortController();
  const senders = Array.from(
    { length: SENDERS },
    (_, name) => new Sender(name, service, seeded(seed + name + 1), stopped.signal),
  );
  const running = Promise.all(senders.map((sender) => sender.run()));
  const attempted = () => senders.reduce((sum, sender) => sum + sender.attempts, 0);
  const killed: Record<Target, number> = { service: 0, stream: 0, both: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    const target = (["service", "stream", "both"] as const)[Math.floor(random() * 2.5)]!;
    // From the start of a stream on: one that waits to be restarted cannot be killed.
    await service.streamPid();
    const enough = attempted() + random() * MAX_ATTEMPTS_APART;
    await until("senders go on", () => attempted() >= enough, 60_000, 2);
    if (target !== "service") await service.kill9("stream");
    if (target !== "stream") await service.kill9("service");
    if (target !== "stream") await service.restart();
    killed[target]++;
  }
  stopped.abort();
  await running;
  await service.counted();

  const present = await countedBatches(service, senders);
  const { accepted, counted, duplicate, balanced } = (
    await service.ledger(startedMs - 20 * DAY_MS, Date.now() + MINUTE_MS)
  ).totals;
  expect(balanced).toBe(true);
  expect(counted).toBe(present * (BATCH_EVENTS + 1));
  expect(duplicate).toBeGreaterThanOrEqual(present * (BATCH_EVENTS / 10));
  const { code, report } = await service.audit();
  expect({ code, outcome: report.outcome, differences: report.differences }).toEqual({
    code: 0,
    outcome: "equal",
    differences: [],
  });
  expect(report.distinctEvents).toBe(counted);
  // The interrupted objects were archived again under the same names, so the archive has no object twice.
  expect(report.events).toBe(accepted);
  expect(await service.stop()).toBe(0);
  expect(service.alive().filter(isAlive)).toEqual([]);
  const attempts = senders.reduce((sum, sender) => sum + sender.attempts, 0);
  process.stdout.write(
    `killed: ${JSON.stringify(killed)}; ${attempts} requests, ${present} batches counted; ${duplicate} duplicates\n`,
  );
}, 240_000);

/** Checks every batch by its fate, and the video they share; returns how many were counted. */
async function countedBatches(service: Service, senders: readonly Sender[]): Promise<number> {
  let present = 0;
  let acknowledged = 0;
  const wrong: string[] = [];
  const batches = senders.flatMap(({ fates }) => [...fates]).values();
  const check = async () => {
    for (const [videoId, fate] of batches) {
      const { totals } = await service.get<Video>(`/v1/videos/${encodeURIComponent(videoId)}`);
      const { VIEW = { count: 0, sum: 0 } } = totals;
      if (fate === "acknowledged") acknowledged++;
      if (VIEW.count > 0) present++;
      const whole = VIEW.count === BATCH_EVENTS && VIEW.sum === BATCH_EVENTS;
      if (!whole && (fate === "acknowledged" || VIEW.count !== 0)) wrong.push(`${videoId} (${fate}): ${VIEW.count}`);
    }
  };
  await Promise.all(Array.from({ length: READERS }, check));
  expect(wrong).toEqual([]);
  expect(acknowledged).toBeGreaterThan(KILLS);
  expect(await service.total(HOT)).toBe(present);
  process.stdout.write(`${acknowledged} batches acknowledged\n`);
  return present;
}
