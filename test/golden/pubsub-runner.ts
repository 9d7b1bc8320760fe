import pino from "pino";
import { type Config, configSchema } from "../../cli/config-schema";
import { createPlaces } from "../../cli/deployment/create-places";
import { type Deployment, openDeployment } from "../../cli/deployment/deployment";
import { openClaims } from "../../cli/deployment/open-claims";
import { openSharedLog, openSubscription } from "../../cli/deployment/open-log";
import { minuteOf } from "../../domain/event";
import {
  FromResource,
  generateWithTimestamps,
  provideResource,
  type Root,
  runDirect,
  withdrawResource,
} from "../../engine";
import { readArchiveObject } from "../../io/avro/archive-object";
import { BATCH_ATTRIBUTE } from "../../io/messages/batch-attribute";
import type { DeadLetters } from "../../io/ports";
import { runArchiver } from "../../pipelines/archiver/archiver";
import { countPayloads, type StreamPipelineOptions } from "../../pipelines/stream/stream-pipeline";
import { RESOURCES } from "../../transforms/resource-names";
import { until } from "../servers/processes";
import { ingest } from "./ingest";
import { type NativeMessage, NativePubsub } from "./native-pubsub";
import { type GoldenRunner, letters, type Outcome, storedCells } from "./outcome";
import type { GoldenScript, LedgerRow } from "./script";

const ALL_MINUTES = [0, minuteOf(Date.UTC(9999, 0))] as const;
const KEPT_MS = 200 * 366 * 86_400_000;
const ARCHIVED_DEADLINE_MS = 20_000;
const MESSAGES = "golden/native-messages";

export const pubsubCounting = (script: Pick<GoldenScript, "allowedLatenessMs">): StreamPipelineOptions["counting"] => ({
  dedupePartitions: 3,
  videoShards: 2,
  allowedLatenessMs: script.allowedLatenessMs,
  followCorrections: false,
  paneCache: "",
  writtenCells: "",
  windowing: { graceMs: 0, earlyFiringMs: 300, lateFiringMs: 300, keptMs: KEPT_MS },
});

/** The stream's graph, with the messages of the resource where Dataflow's source is. */
export function graphOfMessages(root: Root, counting: StreamPipelineOptions["counting"]): void {
  const source = new FromResource<{ value: Uint8Array; timestampMs: number }>(MESSAGES);
  countPayloads(generateWithTimestamps(root, "ReadPubSub", source), counting);
}

type Cells = Pick<Outcome, "minutes" | "hours" | "days" | "totals">;

export interface NativeOutcome extends Outcome {
  /** How often messages came again. */
  redeliveries: number;
  /** The cells after all of that was handed over as well, as it is when ten minutes have passed. */
  repeated: Cells;
}

/**
 * The stream of Pub/Sub as Dataflow runs it, on the direct runner: the same graph behind the source, the source's part played with a real
 * subscription. At each `pass` the graph runs over all messages so far, as the panes of an accumulating window are nested.
 */
export class PubsubGoldenRunner implements GoldenRunner {
  readonly name = "Pub/Sub as Dataflow reads it";

  constructor(private readonly emulator: () => { host: string; restUrl: string }) {}

  async run(script: GoldenScript, folder: string): Promise<NativeOutcome> {
    const run = await PubsubRun.start(script, folder, this.emulator());
    try {
      for (const step of script.steps) {
        if (step.kind === "pass") await run.pass("on-the-way");
        else await run.send(step);
      }
      await run.pass("last");
      const outcome = await run.outcome();
      await run.pass("with-repeats");
      return { ...outcome, repeated: await run.cells() };
    } finally {
      await run.stop();
    }
  }
}

class PubsubRun {
  private sent = 0;
  private archived = 0;
  private readonly stopping = new AbortController();
  private archiving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly config: Config,
    private readonly script: GoldenScript,
    private readonly deployment: Deployment,
    private readonly log: Awaited<ReturnType<typeof openSharedLog>>,
    private readonly source: NativePubsub,
  ) {}

  static async start(script: GoldenScript, folder: string, emulator: { host: string; restUrl: string }) {
    const name = `native-${script.name}-${process.pid}-${runs++}`;
    const pubsub = { archiveSubscription: `${name}-archive`, streamSubscription: `${name}-stream` };
    const endpoints = { endpoint: emulator.host, restEndpoint: emulator.restUrl };
    const config = configSchema.parse({
      data: folder,
      log: { kind: "pubsub", topic: name, pubsub: { ...pubsub, ...endpoints } },
    });
    await createPlaces(config, { partitions: 1 });
    const logger = pino({ level: "silent" });
    const source = await NativePubsub.open(emulator.host, config.project, pubsub.streamSubscription, BATCH_ATTRIBUTE);
    const log = await openSharedLog(config, logger);
    const run = new PubsubRun(config, script, await openDeployment(config), log, source);
    run.archiving = run.archive(await openSubscription(config, logger));
    return run;
  }

  private async archive(subscription: Awaited<ReturnType<typeof openSubscription>>): Promise<void> {
    const { archive, state } = this.deployment;
    const bounds = { maxPortionMessages: 100, maxPortionBytes: 1 << 20, maxPortionAgeMs: 50 };
    await runArchiver(
      { subscription, archive, ledger: state, payloadOf: async ({ payload }) => payload },
      { ...bounds, portionsInFlight: 2, progressIntervalMs: 100 },
      this.stopping.signal,
      ({ messages }) => {
        this.archived += messages;
      },
    ).finally(() => subscription.close());
  }

  async send(step: Parameters<typeof ingest>[0]): Promise<void> {
    const before = this.sent;
    const counted = {
      append: (batch: Parameters<typeof this.log.append>[0]) => {
        this.sent++;
        return this.log.append(batch);
      },
    };
    await ingest(step, counted, this.deployment.deadLetters);
    await this.source.pullTwice(this.sent - before);
  }

  /** Counts all that came so far. Dead letters are written by the last pass alone: a runner writes them once. */
  async pass(which: "on-the-way" | "last" | "with-repeats"): Promise<void> {
    const { archive, counters, state, progress, deadLetters } = this.deployment;
    const messages = which === "with-repeats" ? this.source.delivered : this.source.handedOver();
    const provided = new Map<string, unknown>([
      [RESOURCES.archive, archive],
      [RESOURCES.counterStore, counters],
      [RESOURCES.ledger, state],
      [RESOURCES.logProgress, progress],
      [RESOURCES.deadLetters, which === "last" ? deadLetters : NO_LETTERS],
      [RESOURCES.claims, await openClaims(this.config)],
      [MESSAGES, messages.map(asElement)],
    ]);
    for (const [name, value] of provided) provideResource(name, value);
    try {
      await runDirect((root) => graphOfMessages(root, pubsubCounting(this.script)));
    } finally {
      for (const name of provided.keys()) withdrawResource(name);
    }
  }

  cells(): Promise<Cells> {
    return storedCells(this.deployment.counters);
  }

  async outcome(): Promise<Omit<NativeOutcome, "repeated">> {
    await until("all messages in the archive", () => this.archived >= this.sent, ARCHIVED_DEADLINE_MS);
    return {
      ...(await this.cells()),
      ledger: await this.ledger(),
      deadLetters: await letters(this.deployment.deadLetters),
      redeliveries: this.source.delivered.length - this.sent,
    };
  }

  private async ledger(): Promise<Map<number, LedgerRow>> {
    const { archive, state } = this.deployment;
    const archived = new Map<number, number>();
    for (const { name, minute } of await archive.list(...ALL_MINUTES)) {
      for (const { columns } of readArchiveObject(await archive.read(name), minute))
        archived.set(minute, (archived.get(minute) ?? 0) + columns.count);
    }
    return new Map(
      (await state.ledger(...ALL_MINUTES)).map(({ minute, accepted, counted, duplicate, late, reusedIds }) => [
        minute,
        { accepted, archived: archived.get(minute) ?? 0, counted, duplicate, late, reused: reusedIds },
      ]),
    );
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.archiving;
    await Promise.all([this.log.close(), this.source.close(), this.deployment.close()]);
  }
}

let runs = 0;
const NO_LETTERS: Pick<DeadLetters, "append"> = { append: async () => undefined };
const asElement = ({ payload, publishedAtMs }: NativeMessage) => ({ value: payload, timestampMs: publishedAtMs });
