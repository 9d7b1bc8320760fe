// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { ConfigError } from "../config/config-error";
import { resolveConfig } from "../config/resolve";
import { gcsLocation } from "../deployment/gcs-location";
import { type InitFlags, initOptions, report } from "./place-report";

interface StorageInitFlags extends InitFlags {
  location: string;
}

export function register(program: Command): void {
  const init = program
    .command("storage")
    .description("the bucket of archive, dead letters and claims in Cloud Storage")
    .command("init")
    .description("make the bucket where it is missing; one that exists stays as it is")
    .option("--location <place>", "of a bucket that is made, such as EU or europe-west1 (default: Google's, US)", "");
  initOptions(init).action(async ({ check, json, location }: StorageInitFlags, command: Command) => {
    const config = resolveConfig(command);
    const { archive, deadLetters, claims, retention, project } = config;
    const inBucket = [archive, deadLetters, claims].some(({ kind }) => kind === "gcs");
    if (!inBucket)
      throw new ConfigError("nothing is in a bucket: archive.kind, deadLetters.kind and claims.kind are not gcs");
    const { bucketPlace } = await import("../../io/gcs/bucket.js");
    const kept = archive.kind === "gcs" ? [{ prefix: archive.prefix, days: retention.rawDays }] : [];
    report([await bucketPlace(gcsLocation(config, ""), { project, location, kept }, check !== true)], json);
  });
}
