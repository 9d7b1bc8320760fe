// SPDX-License-Identifier: Apache-2.0
import pino from "pino";
import { type Config, configSchema } from "../../../cli/config/schema";
import { createPlaces } from "../../../cli/deployment/create-places";
import { type Deployment, openDeployment } from "../../../cli/deployment/deployment";
import { openClaims } from "../../../cli/deployment/open-claims";
import { openSharedLog } from "../../../cli/deployment/open-log";
import {
  FromResource,
  generateWithTimestamps,
  provideResource,
  type Root,
  runDirect,
  withdrawResource,
} from "../../../engine";
import { BATCH_ATTRIBUTE } from "../../../io/formats/messages/batch-attribute";
import type { DeadLetters } from "../../../io/ports";
import { countLog, type LogCounting } from "../../../pipelines/stream/count-log";
import { messagesOfPubSub } from "../../../transforms/messages-of-log";
import { RESOURCES } from "../../../transforms/resource-names";
import { until } from "../../servers/processes";
import { Archiving } from "./archiving";
import { doAudits } from "./auditing";
import { ingest } from "./ingest";
import { type NativeMessage, NativePubsub } from "./native-pubsub";
import { type GoldenRunner, type Outcome, storedCells } from "./outcome";
import type { GoldenScript } from "./script";
import { storedOutcome } from "./stored-outcome";

const KEPT_MS = 200 * 366 * 86_400_000;
const ARCHIVED_DEADLINE_MS = 20_000;
const MESSAGES = "golden/native-messages";

export const pubsubCounting = (script: Pick<GoldenScript, "allowedLatenessMs">): LogCounting["counting"] => ({
  dedupePartitions: 3,
  videoShards: 2,
  allowedLatenessMs: script.allowedLatenessMs,
  followCorrections: false,
  paneCache: "",
  writtenCells: "",
  windowing: { graceMs: 0, earlyFiringMs: 300, lateFiringMs: 300, keptMs: KEPT_MS },
});

/** The stream's graph, with the messages of the resource where Dataflow's source is. */
export function graphOfMessages(root: Root, counting: LogCounting["counting"]): void {
  const source = new FromResource<{ value: Uint8Array; timestampMs: number }>(MESSAGES);
  countLog(messagesOfPubSub(generateWithTimestamps(root, "ReadPubSub", source)), { counting });
}

type Cells = Pick<Outcome, "minutes" | "hours" | "days" | "totals">;

interface NativeOutcome extends Outcome {
  /** The number of redeliveries. */
  redeliveries: number;
  /** The cells after all of that was handed over as well, as it is when ten minutes have passed. */
  repeated: Cells;
}

/**
 * The stream of Pub/Sub as Dataflow runs it, on the direct runner: the same graph behind the source, the source's part
 * played with a real subscription. At each `pass` the graph runs over all messages so far, as the panes of an
 * accumulating window are nested.
 */
export class PubsubGoldenRunner implements GoldenRunner {
  readonly name = "Pub/Sub as Dataflow reads it";

  constructor(private readonly emulator: () => { host: string; restUrl: string }) {}

  async run(script: GoldenScript, folder: string): Promise<NativeOutcome> {
    const run = await PubsubRun.start(script, folder, this.emulator());
    try {
      let isAway = false;
      for (const step of script.steps) {
        if (step.kind === "away" || step.kind === "back") isAway = step.kind === "away";
        else if (step.kind !== "pass") await run.send(step);
        else if (!isAway) await run.pass("on-the-way");
      }
      await run.pass("last");
      await run.untilArchived();
      await run.audit();
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

  private constructor(
    private readonly config: Config,
    private readonly script: GoldenScript,
    private readonly deployment: Deployment,
    private readonly archiving: Archiving,
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
    const deployment = await openDeployment(config);
    return new PubsubRun(config, script, deployment, await Archiving.start(config, deployment), log, source);
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
    const { archive, counters, ledger, progress, deadLetters } = this.deployment;
    const messages = which === "with-repeats" ? this.source.delivered : this.source.handedOver();
    const provided = new Map<string, unknown>([
      [RESOURCES.archive, archive],
      [RESOURCES.counterStore, counters],
      [RESOURCES.ledger, ledger],
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

  async untilArchived(): Promise<void> {
    await until("all messages in the archive", () => this.archiving.messages >= this.sent, ARCHIVED_DEADLINE_MS);
  }

  audit(): Promise<void> {
    return doAudits(this.script, this.deployment);
  }

  async outcome(): Promise<Omit<NativeOutcome, "repeated">> {
    return {
      ...(await storedOutcome(this.deployment)),
      redeliveries: this.source.delivered.length - this.sent,
    };
  }

  async stop(): Promise<void> {
    await this.archiving.stop();
    await Promise.all([this.log.close(), this.source.close(), this.deployment.close()]);
  }
}

let runs = 0;
const NO_LETTERS: Pick<DeadLetters, "append"> = { append: async () => undefined };
const asElement = ({ payload, publishedAtMs }: NativeMessage) => ({ value: payload, timestampMs: publishedAtMs });
