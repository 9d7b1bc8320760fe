// SPDX-License-Identifier: Apache-2.0
/**
 * A cluster whose job is away for hours, with two archivers, and with log records that are deleted before they are
 * archived.
 */
import { ClusterStack } from "../../../demo/cluster-stack";
import { runKills, smallStack } from "../../../demo/kill";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";

const DEADLINE_MS = 900_000;

describeWithServers("a cluster that is let down", ["kafka", "flink", "bigtable", "gcs"], () => {
  let stack: ClusterStack;
  beforeAll(async () => {
    stack = await ClusterStack.start(smallStack("kafka"));
  }, COLD_START_MS);
  afterAll(() => stack?.stop(), COLD_START_MS);

  it(
    "promises nothing that is not counted, counts all that it has, and tells every event that it lost",
    async () => {
      const seed = Math.floor(Math.random() * 1e9) + 1;
      process.stdout.write(`losses with seed ${seed}\n`);
      const targets = ["job-away", "archiver-pair", "records-deleted"] as const;
      const result = await runKills(stack, await stack.submit(), { rounds: 1, rate: 300, seed }, targets);
      expect({ faults: result.faults, differences: result.differences }).toEqual({ faults: [], differences: [] });
      expect(result.lost.events).toBeGreaterThan(0);
      expect(result.watched.answers).toBeGreaterThan(0);
      expect(result.differing).toBe(0);
    },
    DEADLINE_MS,
  );
});
