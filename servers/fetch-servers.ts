// SPDX-License-Identifier: Apache-2.0
import { beamRecipe } from "./beam-jars";
import { bigtableRecipe } from "./bigtable-emulator";
import { installed, type Recipe } from "./cache";
import { gcsRecipe } from "./gcs-emulator";
import { kafkaRecipe } from "./kafka";
import { envoyRecipe, pubsubRecipe } from "./pubsub-emulator";
import type { ServerName } from "./tools";

const RECIPES: Record<ServerName, readonly Recipe[]> = {
  kafka: [kafkaRecipe],
  bigtable: [bigtableRecipe],
  pubsub: [pubsubRecipe, envoyRecipe],
  gcs: [gcsRecipe],
  flink: [beamRecipe],
  "job-server": [beamRecipe],
  expansion: [beamRecipe],
};

/**
 * Fetches and builds whatever the servers are made of and is not in the cache yet, one after the other; minutes the
 * first time. `npm run servers -- fetch` runs it.
 */
export async function fetchServers(servers: readonly ServerName[], before?: (name: string) => void): Promise<void> {
  for (const recipe of new Set(servers.flatMap((server) => RECIPES[server]))) {
    before?.(`${recipe.name} ${recipe.version}`);
    await installed(recipe);
  }
}
