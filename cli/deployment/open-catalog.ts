// SPDX-License-Identifier: Apache-2.0
/** The video catalog: `serve` opens it to answer with titles and channels, and `viewmill catalog` to load it. */
import { join } from "node:path";
import type { CatalogOptions, SqliteCatalog } from "../../io/sqlite/catalog";
import type { Settings } from "../config/schema";
import { usesDataFolder } from "./deployment";

/** Returns the catalog's file: the configured one, or else catalog.sqlite of the data folder. */
const catalogFile = ({ catalog, data }: Settings<"catalog" | "data">): string =>
  catalog.file === "" ? join(data, "catalog.sqlite") : catalog.file;

/** Without any store in the data folder, a catalog is opened only where its file is configured. */
export const hasCatalog = (
  config: Settings<"archive" | "catalog" | "claims" | "counters" | "deadLetters" | "log">,
): boolean => config.catalog.file !== "" || usesDataFolder(config);

export async function openCatalog(
  config: Settings<"catalog" | "data">,
  options: CatalogOptions = {},
): Promise<SqliteCatalog> {
  const { SqliteCatalog } = await import("../../io/sqlite/catalog.js");
  return new SqliteCatalog(catalogFile(config), options);
}
