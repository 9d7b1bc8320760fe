// SPDX-License-Identifier: Apache-2.0
/**
 * Not a server: Apache Arrow for Python, another reader of our Parquet files. Tests of exports and roll-ups read with
 * it.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installed, type Recipe } from "./cache";
import { withPythonPackages } from "./python-packages";
import { VERSIONS } from "./versions";

const recipe: Recipe = {
  name: "pyarrow",
  version: VERSIONS.pyarrow,
  inputs: "",
  build: async (folder) => {
    const target = ["--no-compile", "--target", join(folder, "packages")];
    await withPythonPackages(folder, [...target, `pyarrow==${VERSIONS.pyarrow}`]);
  },
};

const PROGRAM = `
import json, sys
import pyarrow.dataset as ds
rows = ds.dataset(sys.argv[1], partitioning="hive").to_table().to_pylist()
print(json.dumps([{name: str(value) for name, value in row.items()} for row in rows]))
`;

/** Returns the rows of a folder of Parquet files with hive's partition names, each value as Python writes it. */
export async function pyarrowRows(folder: string): Promise<Record<string, string>[]> {
  const env = { ...process.env, PYTHONPATH: join(await installed(recipe), "packages") };
  const options = { encoding: "utf8", env, timeout: 120_000, maxBuffer: 64 << 20 } as const;
  const ended = spawnSync("python3", ["-c", PROGRAM, folder], options);
  if (ended.status !== 0) throw new Error(`pyarrow: ${ended.error?.message ?? ended.stderr}`);
  return JSON.parse(ended.stdout) as Record<string, string>[];
}
