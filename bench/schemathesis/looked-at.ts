// SPDX-License-Identifier: Apache-2.0
/**
 * The deployments that Schemathesis looks at: one service on a data folder, or two behind nginx over shared stores.
 * main.ts of this folder starts them.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createKey, newKeySchema } from "../../admission/new-key";
import { configSchema } from "../../cli/config/schema";
import { createPlaces } from "../../cli/deployment/create-places";
import { openAccessKeys } from "../../cli/deployment/open-access-keys";
import { createBucket } from "../../demo/create-bucket";
import { instance, thisBuild } from "../../demo/viewmill-process";
import { SqliteAccessKeys } from "../../io/sqlite/access-keys";
import { prepareDataFolder } from "../../io/sqlite/data-folder";
import { freePort, Nginx, startBigtableEmulator, startGcsEmulator, startPubsubEmulator } from "../../servers";
import { startService } from "../load/service";

interface LookedAt {
  /** The address of what is asked: the service, or nginx. */
  url: string;
  /** The addresses of the services themselves, each with metrics of its own. */
  instances: readonly string[];
  stop(): Promise<void>;
}

interface Keys {
  /** Makes a key of these scopes, before any service starts, and returns its text. */
  keyOf: (scopes: readonly string[]) => Promise<string>;
}

interface Prepared extends Keys {
  start(): Promise<LookedAt>;
  /** Ends the stores. */
  end(): Promise<void>;
}

const newKey = async (store: Parameters<typeof createKey>[0], scopes: readonly string[]): Promise<string> =>
  (await createKey(store, newKeySchema.parse({ name: "look", scopes }), Date.now())).text;

export async function oneService(folder: string): Promise<Prepared> {
  const data = join(folder, "data");
  prepareDataFolder(data);
  const store = new SqliteAccessKeys({ folder: data });
  return {
    keyOf: (scopes) => newKey(store, scopes),
    async start() {
      const { url, stop } = await startService(data, { VIEWMILL_AUDIT_ENABLED: "false" });
      return { url, instances: [url], stop };
    },
    end: () => store.close(),
  };
}

/** Two services behind nginx, over Pub/Sub, Bigtable and Cloud Storage (the emulators). */
export async function twoBehindNginx(folder: string): Promise<Prepared> {
  const emulators = await Promise.all([startPubsubEmulator(), startBigtableEmulator(), startGcsEmulator()]);
  const [pubsub, bigtable, gcs] = emulators;
  const config = configSchema.parse({
    http: { drainSeconds: 1 },
    log: { kind: "pubsub", pubsub: { endpoint: pubsub.host, restEndpoint: pubsub.restUrl } },
    archive: { kind: "gcs" },
    gcs: { endpoint: gcs.endpoint },
    counters: { kind: "bigtable", endpoint: bigtable.host },
    deadLetters: { kind: "gcs" },
    claims: { kind: "gcs" },
  });
  mkdirSync(folder, { recursive: true });
  const configFile = join(folder, "viewmill.json");
  writeFileSync(configFile, JSON.stringify(config));
  await createPlaces(config, { partitions: 1 });
  await createBucket(config.gcs.endpoint, config.project, config.gcs.bucket);
  const store = await openAccessKeys(config);
  return {
    keyOf: (scopes) => newKey(store, scopes),
    async start() {
      const ports = [await freePort(), await freePort()];
      const instances = ports.map((port) => `http://127.0.0.1:${port}`);
      const serves = ports.map((port, n) => {
        const serve = ["serve", "--port", String(port)] as const;
        return instance(`serve-${n}`, folder, thisBuild(configFile), serve, instances[n]!);
      });
      await Promise.all(serves.map((each) => each.start()));
      const nginx = await Nginx.start(join(folder, "nginx"), ports);
      const stop = async () => {
        await nginx.stop();
        await Promise.all(serves.map((each) => each.end()));
      };
      return { url: nginx.url, instances, stop };
    },
    async end() {
      await store.close();
      await Promise.all(emulators.map((each) => each.stop()));
    },
  };
}
