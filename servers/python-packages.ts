// SPDX-License-Identifier: Apache-2.0
import { rmSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "./cache";

/**
 * Installs packages (arguments of `pip install`) into a virtual environment below `folder` while `use` takes from it
 * what is to stay. The environment goes afterwards: it holds its own path, so a tool's folder could not be moved to its
 * place with it. The recipes of Python programs build with it.
 */
export async function withPythonPackages(
  folder: string,
  packages: readonly string[],
  use: (venv: { bin: string; python: string }) => void | Promise<void> = () => undefined,
): Promise<void> {
  const venv = join(folder, "venv");
  const bin = join(venv, "bin");
  const python = join(bin, "python");
  await runTool("python3", ["-m", "venv", venv], { cwd: folder });
  await runTool(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", ...packages], { cwd: folder });
  await use({ bin, python });
  rmSync(venv, { recursive: true });
}
