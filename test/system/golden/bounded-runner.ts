// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { SqliteLogProgress } from "../../../io/sqlite/log-progress";
import { runBoundedStream } from "../../../pipelines/bounded/bounded-stream";
import { doAudits } from "./auditing";
import { type EmbeddedOptions, EmbeddedStream, openStores, play } from "./embedded-runner";
import { type GoldenRunner, letters, type Outcome, storedCells } from "./outcome";
import type { GoldenScript } from "./script";

/** One bounded run of the counting graph over the archive that an embedded stream wrote, into stores that are empty. */
export class BoundedRunner implements GoldenRunner {
  readonly name: string;

  constructor(readonly options: EmbeddedOptions) {
    this.name = `bounded over the archive, P ${options.dedupePartitions}, Q ${options.videoShards}`;
  }

  async run(script: GoldenScript, folder: string): Promise<Outcome> {
    const { dedupePartitions, videoShards } = this.options;
    const [first, second] = [await openStores(join(folder, "stream")), await openStores(join(folder, "bounded"))];
    try {
      const stream = new EmbeddedStream(first, this.options, script.allowedLatenessMs);
      await play(script, stream);
      const { archive } = first;
      const { counters, ledger, deadLetters } = second;
      await ledger.addObjects(await first.ledger.archivedObjects(0, Date.UTC(9999, 0) / 60_000), []);
      const counting = { dedupePartitions, videoShards, allowedLatenessMs: script.allowedLatenessMs };
      const result = await runBoundedStream(
        { archive, counters, ledger, deadLetters },
        { fromMs: 0, toMs: Date.UTC(9999, 0), counting: { ...counting, followCorrections: true } },
      );
      expect(result.deadLetters).toBe(0);
      expect(result.objects).toBe((await archive.list(0, Date.UTC(9999, 0) / 60_000)).length);
      await doAudits(script, {
        archive,
        counters,
        ledger,
        progress: new SqliteLogProgress(first.log, first.ledger, ledger),
      });
      return {
        ...(await storedCells(counters)),
        ledger: await stream.ledger(ledger),
        deadLetters: await letters(first.deadLetters, deadLetters),
      };
    } finally {
      await Promise.all([first.close(), second.close()]);
    }
  }
}
