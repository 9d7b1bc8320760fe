// SPDX-License-Identifier: Apache-2.0
/** The store of alerts: `serve` opens it, and `viewmill webhooks` reads and replays its messages. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AlertStore } from "../../io/ports/alert-store";
import type { Settings } from "../config/schema";

/** Whether the service looks at rules or delivers what waits. */
export const hasAlerts = ({ alerts }: Settings<"alerts">): boolean =>
  alerts.enabled && alerts.rules.length + alerts.webhooks.length > 0;

/** Opens alerts.sqlite of the data folder, or makes it. Rejects with DataFolderError, `StoreUnavailableError`. */
export async function openAlerts({ data }: Settings<"data">): Promise<AlertStore> {
  (await import("../../io/sqlite/data-folder.js")).prepareDataFolder(data);
  const { SqliteAlertStore } = await import("../../io/sqlite/alert-store.js");
  return new SqliteAlertStore({ folder: data });
}

/** As openAlerts, for commands that make nothing: undefined where no alerts were ever kept. */
export async function openKeptAlerts(config: Settings<"data">): Promise<AlertStore | undefined> {
  (await import("../../io/sqlite/data-folder.js")).requireDataFolder(config.data);
  const { ALERTS_FILE } = await import("../../io/sqlite/alert-store.js");
  return existsSync(join(config.data, ALERTS_FILE)) ? openAlerts(config) : undefined;
}
