// SPDX-License-Identifier: Apache-2.0
import type { Config } from "../../../cli/config/schema";
import { checkProject, type WantedOf } from "../../../cli/deployment/dataflow/preflight";
import type { Missing } from "../../../cli/deployment/dataflow/preflight/check";
import { preparedStream } from "../../../cli/deployment/dataflow/prepared-jobs";
import { DataflowError, DataflowRunner } from "../../../engine/dataflow";
import { FakeGoogle } from "./fake-google";
import { goldenConfig } from "./golden-config";
import {
  DATA_BUCKET,
  type GoogleWorld,
  IMAGE,
  INSTANCE,
  ourLabels,
  PROJECT,
  SERVICE_ACCOUNT,
  STAGING_BUCKET,
  SUBSCRIPTION,
} from "./google-world";

let google: FakeGoogle;
beforeEach(async () => {
  google = await FakeGoogle.start();
});
afterEach(async () => {
  expect(google.wrong).toEqual([]);
  await google.stop();
});

const STREAM: WantedOf = { jobName: "viewmill-stream", replaces: false, reads: { keptSeconds: 0 } };

const runnerOf = ({ project, dataflow }: Config): DataflowRunner =>
  new DataflowRunner({
    project,
    region: dataflow.region,
    endpoint: google.endpoint,
    token: google.token,
    pollMs: 1,
    retryPauseMs: 1,
    maxAttempts: 2,
  });

const withDataflow = (more: Partial<Config["dataflow"]>): Config => {
  const config = goldenConfig();
  return { ...config, dataflow: { ...config.dataflow, ...more } };
};

type PreflightError = Error & { missing: readonly Missing[] };

async function refusal(wanted = STREAM, config = goldenConfig()): Promise<PreflightError | undefined> {
  const before = google.changes.length;
  const error = await checkProject(runnerOf(config), config, wanted).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(google.changes.length).toBe(before);
  if (error !== undefined) expect(error).toMatchObject({ name: "PreflightError" });
  return error as PreflightError | undefined;
}

async function missing(wanted = STREAM, config = goldenConfig()): Promise<readonly Missing[]> {
  return (await refusal(wanted, config))?.missing ?? [];
}

test("where everything is there, nothing is missing, and nothing was changed by looking", async () => {
  expect(await missing()).toEqual([]);
  expect(google.changes).toEqual([]);
});

type Case = [string, (world: GoogleWorld) => void, RegExp, string];

const CALLER = '--member="user:$(gcloud config get account)"';
const SUBSCRIBE = `gcloud pubsub subscriptions create viewmill-stream --project=${PROJECT} --topic=viewmill-events --ack-deadline=60 --message-retention-duration=7d --expiration-period=never`;
const PUSH = `docker build --file docker/Dockerfile --target worker --tag ${IMAGE} . && docker push ${IMAGE}`;

const cases: Case[] = [
  [
    "an API that is not enabled, and only that",
    ({ apis }) => apis.delete("bigtableadmin.googleapis.com"),
    /^API bigtableadmin\.googleapis\.com is not enabled in project golden-project$/,
    `gcloud services enable bigtableadmin.googleapis.com --project=${PROJECT}`,
  ],
  [
    "a region that is none",
    ({ regions }) => regions.clear(),
    /^"europe-west1" is no region of Dataflow \(GET .* 400 invalid location europe-west1\)$/,
    `gcloud compute regions list --project=${PROJECT}`,
  ],
  [
    "the bucket of staged graphs",
    ({ buckets }) => buckets.delete(STAGING_BUCKET),
    /^bucket gs:\/\/golden-staging does not exist$/,
    `gcloud storage buckets create gs://${STAGING_BUCKET} --project=${PROJECT} --location=europe-west1 --uniform-bucket-level-access`,
  ],
  [
    "the right to write to the bucket of staged graphs",
    ({ buckets }) => buckets.get(STAGING_BUCKET)?.delete("storage.objects.create"),
    /^the caller lacks storage\.objects\.create on gs:\/\/golden-staging$/,
    `gcloud storage buckets add-iam-policy-binding gs://${STAGING_BUCKET} ${CALLER} --role=roles/storage.objectAdmin`,
  ],
  [
    "the bucket of the data",
    ({ buckets }) => buckets.delete(DATA_BUCKET),
    /^bucket gs:\/\/golden-data does not exist$/,
    `gcloud storage buckets create gs://${DATA_BUCKET} --project=${PROJECT} --location=europe-west1 --uniform-bucket-level-access`,
  ],
  ["the image", ({ images }) => images.clear(), /^image europe-docker\.pkg\.dev\S+:0\.1\.0 does not exist$/, PUSH],
  [
    "our module in the image, where labels are none",
    ({ images }) => images.set(IMAGE, { labels: null }),
    /does not hold our module: it has no label org\.opencontainers\.image\.title, not viewmill-worker$/,
    PUSH,
  ],
  [
    "our module in the image, where it is another one",
    ({ images }) => images.set(IMAGE, { labels: { "org.opencontainers.image.title": "nginx" } }),
    /does not hold our module: it is nginx, not viewmill-worker$/,
    PUSH,
  ],
  [
    "our version in the image",
    ({ images }) => images.set(IMAGE, { labels: ourLabels("0.0.9"), indexed: true }),
    /is viewmill-worker 0\.0\.9, this is 0\.1\.0$/,
    PUSH,
  ],
  [
    "the image for Dataflow's machines",
    ({ images }) => images.set(IMAGE, { labels: ourLabels(), indexed: true, architecture: "arm64" }),
    /has no linux\/amd64$/,
    PUSH,
  ],
  [
    "the subscription",
    ({ subscriptions }) => subscriptions.clear(),
    /^projects\/golden-project\/subscriptions\/viewmill-stream does not exist$/,
    SUBSCRIBE,
  ],
  [
    "the subscription's topic",
    ({ subscriptions }) => subscriptions.set(SUBSCRIPTION, { name: SUBSCRIPTION, topic: "_deleted-topic_" }),
    /has lost its topic: delete it, and make it again$/,
    SUBSCRIBE,
  ],
  [
    "a subscription of all messages",
    ({ subscriptions }) =>
      subscriptions.set(SUBSCRIPTION, {
        name: SUBSCRIPTION,
        topic: "projects/golden-project/topics/viewmill-events",
        filter: 'attributes.kind = "view"',
      }),
    /does not give all of the topic, its filter leaves messages out: delete it, and make it again$/,
    SUBSCRIBE,
  ],
  [
    "a table",
    ({ bigtable }) => bigtable.delete(`${INSTANCE}/tables/viewmill-ledger`),
    /^Bigtable table projects\/golden-project\/instances\/viewmill\/tables\/viewmill-ledger does not exist$/,
    "viewmill bigtable init",
  ],
  [
    "the instance, and not its tables as well",
    ({ bigtable }) => bigtable.clear(),
    /^Bigtable projects\/golden-project\/instances\/viewmill does not exist$/,
    `gcloud bigtable instances create viewmill --project=${PROJECT} --display-name=viewmill --cluster-config=id=viewmill-1,zone=europe-west1-b,nodes=1 && viewmill bigtable init`,
  ],
  [
    "a permission of the caller",
    ({ permissions }) => permissions.delete("dataflow.jobs.create"),
    /^the caller lacks dataflow\.jobs\.create on project golden-project$/,
    `gcloud projects add-iam-policy-binding ${PROJECT} ${CALLER} --role=roles/dataflow.developer`,
  ],
  [
    "the workers' service account",
    ({ serviceAccounts }) => serviceAccounts.clear(),
    /^service account viewmill-worker@\S+ does not exist$/,
    `gcloud iam service-accounts create viewmill-worker --project=${PROJECT}`,
  ],
  [
    "the right to run jobs as it",
    ({ serviceAccounts }) => serviceAccounts.set(SERVICE_ACCOUNT, new Set()),
    /^the caller may not run jobs as viewmill-worker@/,
    `gcloud iam service-accounts add-iam-policy-binding ${SERVICE_ACCOUNT} --project=${PROJECT} ${CALLER} --role=roles/iam.serviceAccountUser`,
  ],
];

test.each(cases)("%s is missing: one line, with the command that fixes it", async (_what, take, what, remedy) => {
  take(google.world);
  const found = await missing();
  expect(found).toHaveLength(1);
  expect(found[0]?.what).toMatch(what);
  expect(found[0]?.remedy).toBe(remedy);
});

test("an image behind a list of platforms is found there", async () => {
  google.world.images.set(IMAGE, { labels: ourLabels(), indexed: true });
  expect(await missing()).toEqual([]);
});

test("who submits a stream needs no rights on the data, who audits reads it", async () => {
  google.world.buckets.set(DATA_BUCKET, new Set());
  expect(await missing()).toEqual([]);
  const found = await missing({ jobName: "viewmill-audit-1", replaces: false });
  expect(found.map(({ what }) => what)).toEqual([
    "the caller lacks storage.objects.get, storage.objects.list on gs://golden-data",
  ]);
});

test("what is missing is told all at once, in a message of one line each", async () => {
  const { world } = google;
  world.apis.delete("compute.googleapis.com");
  world.buckets.clear();
  world.images.clear();
  world.subscriptions.clear();
  world.bigtable.clear();
  const { missing: found, message } = (await refusal())!;
  expect(found).toHaveLength(6);
  expect(message.split("\n")).toHaveLength(1 + found.length);
  for (const { what, remedy } of found) expect(message).toContain(`${what}: ${remedy}`);
});

test("no credentials: only that, as nothing else can be seen", async () => {
  const refuse = () => Promise.reject(new DataflowError("no Google credentials: none", "no-credentials"));
  const config = goldenConfig();
  const runner = new DataflowRunner({ project: PROJECT, region: "r", endpoint: google.endpoint, token: refuse });
  await expect(checkProject(runner, config, STREAM)).rejects.toThrow(
    "no Google credentials: none: gcloud auth application-default login",
  );
  expect(google.requests).toEqual([]);
});

test("credentials that Google refuses are told of", async () => {
  const config = goldenConfig();
  const token = async () => "expired";
  const runner = new DataflowRunner({ project: PROJECT, region: "r", endpoint: google.endpoint, token });
  await expect(checkProject(runner, config, STREAM)).rejects.toThrow(/401 .*: gcloud auth application-default login/);
});

test("a project that is not the caller's is told of", async () => {
  const found = await missing(STREAM, { ...goldenConfig(), project: "another-project" });
  expect(found[0]?.what).toMatch(/^project another-project, its enabled APIs cannot be seen: .*403/);
});

test("an API that does not answer is told of, and what else is missing with it", async () => {
  google.faultFor = ({ host }) => (host === "pubsub.googleapis.com" ? 503 : "none");
  google.world.images.clear();
  expect((await missing()).map(({ what }) => what)).toEqual([
    expect.stringMatching(/^image .* does not exist/),
    expect.stringMatching(/^subscriptions cannot be seen: .*503/),
  ]);
});

test.each(["not an image", "worker", "host.dev/worker:sp ace"])("%j is no image", async (image) => {
  const found = await missing(STREAM, withDataflow({ image }));
  expect(found[0]?.what).toContain(`"${image}" is no HOST/PROJECT/REPOSITORY/NAME:TAG of an image`);
});

describe("a job of the name that runs", () => {
  beforeEach(async () => {
    const config = goldenConfig();
    await runnerOf(config).create(await preparedStream(config, "request-1"));
  });

  test("is in the way of a new one", async () => {
    const found = await missing();
    expect(found).toHaveLength(1);
    expect(found[0]?.what).toMatch(/^a job "viewmill-stream" is JOB_STATE_PENDING already: 2026/);
    expect(found[0]?.remedy).toMatch(/^viewmill pipeline update --runner dataflow, or viewmill pipeline drain 2026/);
  });

  test("is what an update wants", async () => {
    expect(await missing({ ...STREAM, replaces: true })).toEqual([]);
  });
});

test("an update without a job of the name has nothing to replace", async () => {
  const found = await missing({ ...STREAM, replaces: true });
  expect(found.map(({ what }) => what)).toEqual([
    'no job "viewmill-stream" is running in europe-west1 that could be updated',
  ]);
});

describe("a job that takes over reads what was acknowledged", () => {
  const reads = { ...STREAM, reads: { keptSeconds: 3_600 } };

  test("so its subscription must keep that", async () => {
    const found = await missing(reads);
    expect(found.map(({ what }) => what)).toEqual([
      `${SUBSCRIPTION} keeps acknowledged messages for 0 s; the job has to read back 3600 s`,
    ]);
    expect(found[0]?.remedy).toMatch(/subscriptions update viewmill-stream .*--retain-acked-messages/);
  });

  test.each([
    ["itself", { retainAckedMessages: true, messageRetentionDuration: "604800s" }],
    ["through its topic", { topicMessageRetentionDuration: "86400s" }],
  ])("%s", async (_how, kept) => {
    google.world.subscriptions.set(SUBSCRIPTION, { name: SUBSCRIPTION, topic: "t", ...kept });
    expect(await missing(reads)).toEqual([]);
  });
});
