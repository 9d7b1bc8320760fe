// SPDX-License-Identifier: Apache-2.0
// Prints the bill of materials of a deployment (CycloneDX, JSON): what `npm sbom` knows of the installed packages,
// without those of development. npm's own `--omit dev` leaves out every package that development uses as well.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));

/** name@version of everything that a deployment installs; the packages of this repository are among them. */
const deployed = new Set();
for (const [path, { name, version, link, dev, devOptional }] of Object.entries(packages)) {
  if (link !== true && dev !== true && devOptional !== true)
    deployed.add(`${name ?? path.split("node_modules/").at(-1)}@${version}`);
}

const text = execFileSync("npm", ["sbom", "--sbom-format", "cyclonedx"], {
  cwd: ROOT,
  encoding: "utf8",
  maxBuffer: 1 << 26,
});
const bill = JSON.parse(text);
const nameOf = ({ purl }) => decodeURIComponent(purl).replace(/^pkg:npm\//, "");
bill.components = bill.components.filter((component) => deployed.has(nameOf(component)));
const kept = new Set([bill.metadata.component["bom-ref"], ...bill.components.map((component) => component["bom-ref"])]);
bill.dependencies = bill.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) }));
process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
