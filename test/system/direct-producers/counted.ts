// SPDX-License-Identifier: Apache-2.0
/** The stream over messages of a topic, on the direct runner, and what it leaves behind read back through the ports. */
import { minuteOf } from "../../../domain/event";
import { FromResource, generate, provideResource, runDirect, withdrawResource } from "../../../engine";
import type { LogMessage } from "../../../io/ports";
import { countingGraph } from "../../../pipelines/counting-graph";
import type { Message } from "../../../transforms/elements";
import { RESOURCES } from "../../../transforms/resource-names";
import type { ModelCells } from "../../domain/model";
import type { Stores } from "../golden/embedded-runner";
import { storedCells } from "../golden/outcome";
import type { ModelBooks } from "./forms";

const MESSAGES = "test/direct-messages";
export const RULES = { allowedLatenessMs: 3_600_000, rawRetentionMs: 30 * 86_400_000 };
const SPREAD = { dedupePartitions: 3, videoShards: 2, paneCache: "", writtenCells: "", followCorrections: false };

export async function count(stores: Stores, messages: readonly LogMessage[]): Promise<void> {
  const elements = messages.map(
    ({ payload, appendedAtMs }): Message => ({ kind: "batch", payload: Uint8Array.from(payload), appendedAtMs }),
  );
  const provided = new Map<string, unknown>([
    [RESOURCES.counterStore, stores.counters],
    [RESOURCES.ledger, stores.ledger],
    [RESOURCES.deadLetters, stores.deadLetters],
    [MESSAGES, elements],
  ]);
  for (const [name, value] of provided) provideResource(name, value);
  try {
    await runDirect((root) =>
      countingGraph(generate(root, "Messages", new FromResource<Message>(MESSAGES)), { ...SPREAD, ...RULES }),
    );
  } finally {
    for (const name of provided.keys()) withdrawResource(name);
  }
}

/** `minute videoId eventType` -> cell, as the model names them. */
export async function countedCells(stores: Stores): Promise<ModelCells> {
  const cells: ModelCells = new Map();
  for (const [name, { lastMs, ...sums }] of (await storedCells(stores.counters)).minutes) {
    const [startMs, ...rest] = name.split(" ");
    const minute = minuteOf(Number(startMs));
    cells.set([minute, ...rest].join(" "), { ...sums, lastMs: lastMs - Number(startMs) });
  }
  return cells;
}

export async function books(stores: Stores): Promise<Map<number, ModelBooks>> {
  const rows = await stores.ledger.books(0, 2 ** 40);
  return new Map(
    rows.map(({ minute, accepted, archived, counted, duplicate, late }) => [
      minute,
      { accepted, archived, counted, duplicate, late },
    ]),
  );
}

export async function deadReasons(stores: Stores): Promise<string[]> {
  return (await stores.deadLetters.list({ limit: 10_000 })).map(({ reason }) => reason).sort();
}
