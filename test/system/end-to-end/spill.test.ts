// SPDX-License-Identifier: Apache-2.0
/**
 * A service whose shared log goes away, as its clients see it: accepted on this disk, through kill -9, and in the log
 * when that is back. The log is Pub/Sub behind a proxy that cuts connections.
 */
import { eventAt } from "../../../domain/columns/event-columns";
import { decodeBatch } from "../../../io/formats/avro/batch";
import { subscriptionName } from "../../../io/pubsub/config";
import { subscriberClient } from "../../../io/pubsub/connection";
import { ensurePubsubSubscription, ensurePubsubTopic } from "../../../io/pubsub/topics";
import { type FaultProxy, type PubsubEmulator, startFaultProxy, startPubsubEmulator } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { cleanUp, Service, startViewmill, temporaryFolder, until, viewmill } from "./service";

const PROJECT = "spill-test";
const TOPIC = "events";
const DAY_MS = 86_400_000;
/** Events of a day ago are late: the audit counts them, and no job of a cluster is needed. */
const EVENT_TIME = Date.now() - DAY_MS;

vi.setConfig({ testTimeout: 240_000 });

interface Ready {
  dependencies: { name: string; ok: boolean; detail: string }[];
}

describeWithServers("a service whose shared log is away", ["pubsub"], () => {
  let pubsub: PubsubEmulator;
  let proxy: FaultProxy;
  beforeAll(async () => {
    pubsub = await startPubsubEmulator();
    proxy = await startFaultProxy(pubsub.host);
    const direct = { projectId: PROJECT, endpoint: pubsub.host };
    await ensurePubsubTopic(direct, TOPIC);
    for (const subscription of ["looked-at", "archived"])
      await ensurePubsubSubscription(direct, { topic: TOPIC, subscription, ackDeadlineSeconds: 600 });
  }, COLD_START_MS);
  afterEach(cleanUp);
  afterAll(async () => {
    await proxy?.stop();
    await pubsub?.stop();
  });

  /** The settings of a deployment on this folder; `endpoint`: where its programs reach Pub/Sub. */
  const settings = (folder: string, endpoint: string) => ({
    VIEWMILL_DATA: folder,
    VIEWMILL_PROJECT: PROJECT,
    VIEWMILL_LOG_KIND: "pubsub",
    VIEWMILL_LOG_TOPIC: TOPIC,
    VIEWMILL_LOG_PUBSUB_ENDPOINT: endpoint,
    VIEWMILL_LOG_PUBSUB_ARCHIVE_SUBSCRIPTION: "archived",
    VIEWMILL_LOG_SPILL_ENABLED: "true",
    VIEWMILL_LOG_SPILL_MAX_BYTES: String(1 << 20),
  });

  /** Sends one event of this number, padded to `bytes`. */
  const post = (service: Service, n: number, bytes = 0) =>
    service.post({
      headers: { "Content-Type": "application/json" },
      bytes: JSON.stringify({
        ...{ eventId: `e-${n}`, videoId: "v", eventType: "VIEW", eventTime: EVENT_TIME },
        ...(bytes > 0 && { note: Array.from({ length: bytes }, () => Math.random().toString(36)[2]).join("") }),
      }),
    });
  const spillOf = async (service: Service) => {
    const { dependencies } = (await (await fetch(`${service.url}/readyz`)).json()) as Ready;
    return dependencies.find(({ name }) => name === "spill");
  };

  /** The numbers of the events in the topic, with repeats. */
  async function numbersInTopic(least: number): Promise<number[]> {
    const client = await subscriberClient({ projectId: PROJECT, endpoint: pubsub.host });
    const found: number[] = [];
    try {
      await until("the topic has the events", async () => {
        const [{ receivedMessages }] = await client.pull({
          subscription: subscriptionName(PROJECT, "looked-at"),
          maxMessages: 1_000,
        });
        for (const { message } of receivedMessages ?? []) {
          const { columns } = decodeBatch(message!.data as Uint8Array);
          for (let row = 0; row < columns.count; row++) found.push(Number(eventAt(columns, row).eventId.slice(2)));
        }
        return new Set(found).size >= least;
      });
    } finally {
      await client.close();
    }
    return found;
  }

  it("accepts onto this disk, also after kill -9, refuses when full, and drains, counted once", async () => {
    const folder = temporaryFolder();
    const environment = settings(folder, proxy.address);
    const service = await Service.start({ folder, environment });
    expect((await post(service, 0)).status).toBe(202);
    expect(await spillOf(service)).toMatchObject({ ok: true, detail: "nothing waits on this disk" });

    proxy.cut();
    let sent = 1;
    for (; sent < 6; sent++) expect([sent, (await post(service, sent)).status]).toEqual([sent, 202]);
    expect(await spillOf(service)).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^\d+ bytes wait .* since 2/),
    });
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);

    await service.kill9("service");
    await service.restart();
    expect(await spillOf(service)).toMatchObject({ ok: false });
    for (; sent < 11; sent++) expect([sent, (await post(service, sent)).status]).toEqual([sent, 202]);
    const refused = await until("the disk's bound is reached", async () => {
      const answer = await post(service, sent, 40_000);
      if (answer.status !== 202) return answer;
      sent++;
      return undefined;
    });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    await service.kill9("service");
    await service.restart();

    proxy.pass();
    await until("nothing waits", async () => (await spillOf(service))?.ok === true);
    await until("there is room again", async () => (await post(service, sent)).status === 202);
    const numbers = await numbersInTopic(sent + 1);
    // Requests to Pub/Sub may overtake each other; the order in which batches are begun is in test/io/cluster/spill.
    const distinct = [...new Set(numbers)].sort((a, b) => a - b);
    expect(distinct).toEqual(Array.from({ length: sent + 1 }, (_, n) => n));

    const archiver = startViewmill(["archive"], settings(folder, pubsub.host));
    const total = async () => {
      const ended = await viewmill(["audit", "--repair", "--json"], settings(folder, pubsub.host));
      if (ended.stdout === "") throw new Error(ended.stderr);
      return service.total("v");
    };
    await until("all are counted", async () => (await total()) === sent + 1, 30_000, 1_000);
    archiver.child.kill("SIGTERM");
    await until("the archiver ends", () => archiver.ended.code !== null || archiver.ended.signal !== null);
    const { totals } = await service.ledger(EVENT_TIME - DAY_MS / 2, EVENT_TIME + DAY_MS / 2);
    expect(totals).toMatchObject({ counted: sent + 1 });
  });
});
