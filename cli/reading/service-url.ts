// SPDX-License-Identifier: Apache-2.0
/**
 * The address of the service that a command speaks to. `serve` leaves its URL in the data folder, and commands find it
 * there or in their flags.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { requireDataFolder } from "../../io/sqlite/data-folder";
import { resolveConfig } from "../config/resolve";
import { keyHeaders, withKeyOption } from "./service-key";

/** The file in which a running service writes its address, for commands that get its data folder. */
const ADDRESS_FILE = "service-url";

export function writeServiceUrl(folder: string, url: string): void {
  writeFileSync(join(folder, ADDRESS_FILE), `${url}\n`);
}

export function removeServiceUrl(folder: string): void {
  rmSync(join(folder, ADDRESS_FILE), { force: true });
}

/** Adds --url, --data and --config: the ways to name a service. */
export function withServiceOptions(command: Command): Command {
  return withKeyOption(command)
    .option("--url <url>", "of the service (default: that of the deployment, http://127.0.0.1:8080)")
    .option("--data <dir>", "data folder of the deployment, to find its service by")
    .option("--config <file>", "configuration file of the deployment, to find its service by");
}

/** A service, with the headers of requests to it. */
export interface ServiceAddress {
  url: string;
  headers: Readonly<Record<string, string>>;
}

/**
 * Returns the address and the key that the command's flags and configuration name. Throws DataFolderError,
 * SecretFileError.
 */
export const serviceAddress = (command: Command): ServiceAddress => ({
  url: serviceUrl(command),
  headers: keyHeaders(command),
});

/**
 * Returns --url where given, else the address that the service of the data folder wrote, else the configured one.
 * Throws DataFolderError for a --data that does not exist.
 */
function serviceUrl(command: Command): string {
  const { url, data: folder } = command.optsWithGlobals<{ url?: string; data?: string }>();
  if (folder !== undefined) requireDataFolder(folder);
  if (url !== undefined) return url;
  const { data, http } = resolveConfig(command);
  try {
    return readFileSync(join(data, ADDRESS_FILE), "utf8").trim();
  } catch {
    const scheme = http.tls.certificateFile === "" ? "http" : "https";
    return `${scheme}://${http.host === "0.0.0.0" || http.host === "::" ? "127.0.0.1" : http.host}:${http.port}`;
  }
}
