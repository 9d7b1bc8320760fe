// SPDX-License-Identifier: Apache-2.0
/**
 * The place of the tables, and the deadlines of calls. A deployment fills it from its configuration, and every adapter
 * of this folder takes it.
 */

export interface BigtableConfig {
  projectId: string;
  instanceId: string;
  /** The first part of the tables' names; default `viewmill`. */
  tablePrefix?: string;
  /**
   * The profile, which must route to a single cluster, because written cells are read at once. Default: the instance's
   * default profile.
   */
  appProfileId?: string;
  /** `host:port` of an emulator, which is reached without credentials and encryption. */
  emulatorHost?: string;
  /** The number of connections that share the calls; default 2. */
  channels?: number;
  /** The deadline of one attempt of a call; default 10,000 ms. */
  attemptTimeoutMs?: number;
  /** The deadline of a call with all its attempts; default 60,000 ms. */
  totalTimeoutMs?: number;
}

export type TableRole = "minutes" | "summaries" | "ledger";

export interface TableNames extends Record<TableRole, string> {
  /** `projects/P/instances/I`, the parent of all tables. */
  instance: string;
}

/** Returns the tables' names. Throws a RangeError for an id that cannot be part of a resource name. */
export function tableNames(config: BigtableConfig): TableNames {
  const { projectId, instanceId, tablePrefix = "viewmill" } = config;
  for (const part of [projectId, instanceId, tablePrefix]) {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,39}$/.test(part))
      throw new RangeError(
        `"${part}" is not an id of Bigtable: 1 to 40 letters, digits and _ . : -, beginning with a letter or a digit`,
      );
  }
  const instance = `projects/${projectId}/instances/${instanceId}`;
  const full = (role: TableRole) => `${instance}/tables/${tablePrefix}-${role}`;
  return { instance, minutes: full("minutes"), summaries: full("summaries"), ledger: full("ledger") };
}
