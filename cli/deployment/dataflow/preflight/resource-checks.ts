// SPDX-License-Identifier: Apache-2.0
/** Checks of the resources that the job reads and writes. run-preflight.ts runs them before a job is created. */
import type { Json } from "../../../../engine/dataflow/google-rest";
import { type Check, isKind, type Missing } from "./check";

/** Asked of a bucket on which the caller needs no permission, to find out whether the bucket exists. */
const ANY_PERMISSION = "storage.objects.get";

export const buckets: Check = async ({ rest, wanted }) => {
  const { project, region } = wanted;
  const one = async ({ name: bucket, permissions }: (typeof wanted.buckets)[number]): Promise<Missing[]> => {
    const asked = permissions.length === 0 ? [ANY_PERMISSION] : permissions;
    const query = new URLSearchParams(asked.map((each): [string, string] => ["permissions", each]));
    try {
      const url = `https://storage.googleapis.com/storage/v1/b/${bucket}/iam/testPermissions?${query}`;
      const granted = new Set(((await rest.json({ url })).permissions ?? []) as readonly string[]);
      const lacking = permissions.filter((permission) => !granted.has(permission));
      if (lacking.length === 0) return [];
      const member = `--member="user:$(gcloud config get account)"`;
      const remedy = `gcloud storage buckets add-iam-policy-binding gs://${bucket} ${member} --role=roles/storage.objectAdmin`;
      return [{ what: `the caller lacks ${lacking.join(", ")} on gs://${bucket}`, remedy }];
    } catch (error) {
      if (!isKind(error, "not-found")) throw error;
      const remedy = `gcloud storage buckets create gs://${bucket} --project=${project} --location=${region} --uniform-bucket-level-access`;
      return [{ what: `bucket gs://${bucket} does not exist`, remedy }];
    }
  };
  return (await Promise.all(wanted.buckets.map(one))).flat();
};

export const subscriptions: Check = async ({ rest, wanted }) => {
  const one = async ({ name, remedy, keptSeconds }: (typeof wanted.subscriptions)[number]): Promise<Missing[]> => {
    try {
      const found = await rest.json({ url: `https://pubsub.googleapis.com/v1/${name}` });
      if (found.topic === "_deleted-topic_" || found.detached === true) {
        return [{ what: `${name} has lost its topic: delete it, and make it again`, remedy }];
      }
      const loss = lossOf(found);
      if (loss !== undefined) {
        return [{ what: `${name} does not give all of the topic, ${loss}: delete it, and make it again`, remedy }];
      }
      const kept = keptFor(found);
      if (kept >= keptSeconds) return [];
      const [, project, , short] = name.split("/");
      return [
        {
          what: `${name} keeps acknowledged messages for ${kept} s; the job has to read back ${keptSeconds} s`,
          remedy: `gcloud pubsub subscriptions update ${short} --project=${project} --retain-acked-messages --message-retention-duration=7d`,
        },
      ];
    } catch (error) {
      if (!isKind(error, "not-found")) throw error;
      return [{ what: `${name} does not exist`, remedy }];
    }
  };
  return (await Promise.all(wanted.subscriptions.map(one))).flat();
};

/** Returns why the job gets other events than the archiver, which reads the same topic by a subscription of its own. */
function lossOf({ filter, deadLetterPolicy, pushConfig }: Json): string | undefined {
  if (typeof filter === "string" && filter !== "") return `its filter leaves messages out`;
  if ((deadLetterPolicy as Json | undefined)?.deadLetterTopic !== undefined) return "its dead-letter policy takes some";
  if ((pushConfig as Json | undefined)?.pushEndpoint !== undefined) return "it pushes its messages elsewhere";
  return undefined;
}

/**
 * Returns how long a message can be read again after its acknowledgement: by the subscription's setting, or its topic's
 * retention.
 */
function keptFor(subscription: Json): number {
  const seconds = (value: unknown): number => (typeof value === "string" ? Number.parseFloat(value) : 0);
  const own = subscription.retainAckedMessages === true ? seconds(subscription.messageRetentionDuration) : 0;
  return Math.max(own, seconds(subscription.topicMessageRetentionDuration));
}

export const tables: Check = async ({ rest, wanted }) => {
  const exists = async (name: string, view: string): Promise<boolean> => {
    try {
      await rest.json({ url: `https://bigtableadmin.googleapis.com/v2/${name}${view}` });
      return true;
    } catch (error) {
      if (isKind(error, "not-found")) return false;
      throw error;
    }
  };
  const one = async ({ instance, names, remedy }: (typeof wanted.tables)[number]): Promise<Missing[]> => {
    if (!(await exists(instance, ""))) {
      const [, project, , id] = instance.split("/");
      const cluster = `--cluster-config=id=${id}-1,zone=${wanted.region}-b,nodes=1`;
      const create = `gcloud bigtable instances create ${id} --project=${project} --display-name=${id} ${cluster}`;
      return [{ what: `Bigtable ${instance} does not exist`, remedy: `${create} && ${remedy}` }];
    }
    const there = await Promise.all(names.map((name) => exists(name, "?view=NAME_ONLY")));
    return names
      .filter((_name, at) => there[at] === false)
      .map((name) => ({ what: `Bigtable table ${name} does not exist`, remedy }));
  };
  return (await Promise.all(wanted.tables.map(one))).flat();
};
