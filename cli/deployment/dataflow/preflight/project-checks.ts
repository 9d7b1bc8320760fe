// SPDX-License-Identifier: Apache-2.0
/** Checks of the project as a whole. run-preflight.ts runs them before a job is created. */
import { DataflowError } from "../../../../engine/dataflow/dataflow-error";
import type { Json } from "../../../../engine/dataflow/google-rest";
import { isFinalDataflowState } from "../../../../engine/dataflow/job-types";
import { type Check, isKind, type Missing } from "./check";

const MAX_NAMED_SERVICES = 20;

/**
 * Finds the APIs that are not enabled. Rejects as other checks do, when the project does not exist or the caller may
 * not see it.
 */
export const disabledApis = async ({ rest, wanted }: Parameters<Check>[0]): Promise<string[]> => {
  const { project, apis } = wanted;
  const names = apis.slice(0, MAX_NAMED_SERVICES).map((api) => ["names", `projects/${project}/services/${api}`]);
  const query = new URLSearchParams(names as [string, string][]);
  const url = `https://serviceusage.googleapis.com/v1/projects/${project}/services:batchGet?${query}`;
  const answer = await rest.json({ url });
  const services = (answer.services ?? []) as readonly Json[];
  const enabled = new Set(
    services.filter(({ state }) => state === "ENABLED").map(({ name }) => String(name).split("/").at(-1)),
  );
  return apis.filter((api) => !enabled.has(api));
};

export const missingApi = (project: string, api: string): Missing => ({
  what: `API ${api} is not enabled in project ${project}`,
  remedy: `gcloud services enable ${api} --project=${project}`,
});

/**
 * Checks region and name. Dataflow answers for its regions only, so one request tells both whether the region exists
 * and which jobs run in it.
 */
export const regionAndName: Check = async ({ jobs, wanted }) => {
  const { project, region, jobName, replaces, program } = wanted;
  try {
    const active = (await jobs.list("ACTIVE", jobName)).filter(({ state }) => !isFinalDataflowState(state));
    const [running] = active;
    if (replaces && running === undefined) {
      const remedy = `${program} pipeline stream --runner dataflow (a first job, instead of an update)`;
      return [{ what: `no job "${jobName}" is running in ${region} that could be updated`, remedy }];
    }
    if (replaces || running === undefined) return [];
    return [
      {
        what: `a job "${jobName}" is ${running.state} already: ${running.jobId}`,
        remedy: `${program} pipeline update --runner dataflow, or ${program} pipeline drain ${running.jobId} --runner dataflow`,
      },
    ];
  } catch (error) {
    if (error instanceof DataflowError && (error.status === 400 || error.status === 404)) {
      const remedy = `gcloud compute regions list --project=${project}`;
      return [{ what: `"${region}" is no region of Dataflow (${error.message})`, remedy }];
    }
    throw error;
  }
};

const GRANTS: Readonly<Record<string, string>> = { dataflow: "roles/dataflow.developer" };

/** Checks the caller's permissions on the project. */
export const projectPermissions: Check = async ({ rest, wanted }) => {
  const { project, permissions } = wanted;
  const url = `https://cloudresourcemanager.googleapis.com/v1/projects/${project}:testIamPermissions`;
  const answer = await rest.json({ method: "POST", url, body: { permissions } });
  const granted = new Set((answer.permissions ?? []) as readonly string[]);
  return permissions
    .filter((permission) => !granted.has(permission))
    .map((permission) => ({
      what: `the caller lacks ${permission} on project ${project}`,
      remedy: grant(`gcloud projects add-iam-policy-binding ${project}`, GRANTS[permission.split(".")[0] ?? ""]),
    }));
};

const grant = (command: string, role: string | undefined): string =>
  `${command} --member="user:$(gcloud config get account)" --role=${role ?? "ROLE"}`;

/** Checks that the service account exists, and that the caller may let the job run as this account. */
export const actAs: Check = async ({ rest, wanted }) => {
  const { project, serviceAccount } = wanted;
  if (serviceAccount === undefined) return [];
  const name = serviceAccount.split("@")[0] ?? "";
  const create = `gcloud iam service-accounts create ${name} --project=${project}`;
  const url = `https://iam.googleapis.com/v1/projects/-/serviceAccounts/${serviceAccount}:testIamPermissions`;
  const wantedHere = ["iam.serviceAccounts.actAs"];
  try {
    const answer = await rest.json({ method: "POST", url, body: { permissions: wantedHere } });
    const granted = (answer.permissions ?? []) as readonly string[];
    if (granted.includes("iam.serviceAccounts.actAs")) return [];
    const command = `gcloud iam service-accounts add-iam-policy-binding ${serviceAccount} --project=${project}`;
    return [
      {
        what: `the caller may not run jobs as ${serviceAccount}`,
        remedy: grant(command, "roles/iam.serviceAccountUser"),
      },
    ];
  } catch (error) {
    if (!isKind(error, "not-found")) throw error;
    return [{ what: `service account ${serviceAccount} does not exist`, remedy: create }];
  }
};
