// SPDX-License-Identifier: Apache-2.0
import type { DataflowRunner } from "../../../../engine/dataflow/dataflow-runner";
import type { Check, CheckContext, Missing, Preflight } from "./check";
import { isKind } from "./check";
import { image } from "./image-check";
import { actAs, disabledApis, missingApi, projectPermissions, regionAndName } from "./project-checks";
import { buckets, subscriptions, tables } from "./resource-checks";

/**
 * The checks in the order of the report. A check is left out where its API is not enabled, because the API is the
 * missing item then.
 */
const CHECKS: readonly { what: string; api: string; check: Check }[] = [
  { what: "jobs", api: "dataflow.googleapis.com", check: regionAndName },
  { what: "permissions on the project", api: "cloudresourcemanager.googleapis.com", check: projectPermissions },
  { what: "the service account", api: "iam.googleapis.com", check: actAs },
  { what: "buckets", api: "storage.googleapis.com", check: buckets },
  { what: "the image", api: "artifactregistry.googleapis.com", check: image },
  { what: "subscriptions", api: "pubsub.googleapis.com", check: subscriptions },
  { what: "tables", api: "bigtableadmin.googleapis.com", check: tables },
];

/**
 * Returns all missing items, and changes nothing. Always resolves: an item that cannot be checked counts as missing.
 */
export async function runPreflight(runner: DataflowRunner, wanted: Preflight): Promise<Missing[]> {
  const context: CheckContext = { rest: runner.rest, jobs: runner.jobs, wanted };
  try {
    await runner.rest.token();
  } catch (error) {
    if (!isKind(error, "no-credentials")) throw error;
    return [{ what: (error as Error).message, remedy: "gcloud auth application-default login" }];
  }
  let disabled: readonly string[] = [];
  const missing: Missing[] = [];
  try {
    disabled = await disabledApis(context);
    missing.push(...disabled.map((api) => missingApi(wanted.project, api)));
  } catch (error) {
    missing.push(unseen(error, `project ${wanted.project}, its enabled APIs`, wanted.project));
  }
  const possible = CHECKS.filter(({ api }) => !disabled.includes(api));
  const found = await Promise.all(
    possible.map(({ what, check }) => check(context).catch((error: unknown) => [unseen(error, what, wanted.project)])),
  );
  return [...missing, ...found.flat()];
}

/** Returns the item of a check without an answer. Errors of other kinds are bugs. */
function unseen(error: unknown, what: string, project: string): Missing {
  if ((error as { name?: unknown }).name !== "DataflowError") throw error;
  const { message } = error as Error;
  if (isKind(error, "denied") || isKind(error, "not-found")) {
    const member = `--member="user:$(gcloud config get account)"`;
    const remedy = `gcloud projects add-iam-policy-binding ${project} ${member} --role=roles/viewer`;
    return { what: `${what} cannot be seen: ${message}`, remedy };
  }
  if (isKind(error, "no-credentials")) {
    return { what: `${what} cannot be seen: ${message}`, remedy: "gcloud auth application-default login" };
  }
  return { what: `${what} cannot be seen: ${message}`, remedy: "the same command again, when Google's APIs answer" };
}
