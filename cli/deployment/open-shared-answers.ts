// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { resolve } from "node:path";
import type { Logger } from "pino";
import type { SharedAnswers } from "../../io/ports";
import type { Settings } from "../config/schema";
import { readSecret } from "../config/secret-file";

/** Of what is kept: instances of a version that keeps something else share nothing with this one. */
const FORMAT = 1;

/**
 * Opens the answers that instances of the service share,
 * where the configuration names a Redis. `serve` opens them for the read API. Throws SecretFileError.
 */
export async function openSharedAnswers(
  config: Settings<"catalog" | "counters" | "data" | "http" | "lateness" | "project" | "retention">,
  logger: Logger,
): Promise<SharedAnswers | undefined> {
  const { url, username, passwordFile, deadlineMs } = config.http.redis;
  if (url === "" || config.http.sharedAnswerBytes === 0) return undefined;
  const { RedisAnswers } = await import("../../io/redis/shared-answers.js");
  return new RedisAnswers({
    url,
    username,
    password: passwordFile === "" ? "" : readSecret(passwordFile, "http.redis.passwordFile"),
    prefix: `viewmill:answers:${FORMAT}:${deploymentMark(config)}:`,
    deadlineMs,
    onChange: (trouble) => {
      if (trouble === undefined) logger.info("Redis answers again: answers are shared");
      else logger.warn({ err: trouble }, "Redis cannot be used: each instance reads for itself");
    },
  });
}

/** Two deployments may use one Redis: what their answers are read from tells them apart. */
function deploymentMark(
  config: Settings<"catalog" | "counters" | "data" | "lateness" | "project" | "retention">,
): string {
  const { counters, project, catalog, data, lateness, retention } = config;
  const read = counters.kind === "sqlite" ? [hostname(), resolve(data)] : [project, counters];
  return createHash("sha256")
    .update(JSON.stringify([read, catalog, lateness, retention]))
    .digest("base64url")
    .slice(0, 22);
}
