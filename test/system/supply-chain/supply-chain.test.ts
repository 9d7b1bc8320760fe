// SPDX-License-Identifier: Apache-2.0
/** The parts of the program: licences that allow its use, a lockfile without surprises, a bill of materials. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(__dirname, "..", "..", "..", "..");

interface Locked {
  /** Places where another package is installed instead of this one. */
  name?: string;
  version?: string;
  resolved?: string;
  integrity?: string;
  license?: string;
  link?: boolean;
  dev?: boolean;
  devOptional?: boolean;
  hasInstallScript?: boolean;
}
const lockText = readFileSync(join(ROOT, "package-lock.json"), "utf8");
const { packages } = JSON.parse(lockText) as { packages: Record<string, Locked> };
/** The packages of the registry: neither this repository nor its workspaces. */
const fetched = Object.entries(packages).filter(
  ([path, { link }]) => path.startsWith("node_modules/") && link !== true,
);
const production = fetched.filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true);

/** Permissive ones, which ask for no more than their text beside the program. */
const ALLOWED = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "BlueOak-1.0.0"]);
/** Licences that packages declare otherwise than by SPDX, checked by hand. */
const LOOKED_AT: Record<string, string> = {
  // The package declares nothing; the sources of the Apache Beam project are under this licence.
  "node_modules/apache-beam": "Apache-2.0",
  // Its LICENSE is the text of three clauses.
  "node_modules/url-template": "BSD-3-Clause",
};

describe("licences of what a deployment installs", () => {
  it("are permissive, package by package, as the installed package itself says", () => {
    expect(production.length).toBeGreaterThan(100);
    const refused = production.flatMap(([path, { license: locked }]) => {
      const file = join(ROOT, path, "package.json");
      // Packages of other platforms are not installed; the lockfile has what they declare.
      const declared = existsSync(file)
        ? (JSON.parse(readFileSync(file, "utf8")) as { license?: unknown }).license
        : locked;
      const licence = LOOKED_AT[path] ?? String(declared);
      const parts = licence.replace(/[()]/g, "").split(" AND ");
      return parts.every((part) => ALLOWED.has(part)) ? [] : [`${path}: ${licence}`];
    });
    expect(refused).toEqual([]);
  });
});

describe("the lockfile", () => {
  it("has a hash of every package that is fetched", () => {
    const without = fetched.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""));
    expect(without.map(([path]) => path)).toEqual([]);
  });

  it("names no registry and no other place: npm's own setting says where packages come from", () => {
    expect(fetched.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
    expect(lockText).not.toMatch(/"(?:resolved|version)": "[^"]*:/);
  });

  it("is of the versions that package.json names, each of them exact", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<
      string,
      Record<string, string>
    >;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(?:-[a-z0-9.]+)?$/);
      expect(packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
  });

  it("has programs that run at installation in these packages alone", () => {
    const scripted = fetched.filter(([, { hasInstallScript }]) => hasInstallScript === true);
    expect(scripted.map(([path]) => path.split("node_modules/").at(-1))).toEqual([
      "esbuild",
      "node",
      "protobufjs",
      "sse4_crc32",
    ]);
  });
});

it("the bill of materials (npm run sbom) names every package of a deployment, with its version", {
  timeout: 120_000,
}, () => {
  const text = execFileSync("npm", ["run", "--silent", "sbom"], { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 26 });
  const bill = JSON.parse(text) as { bomFormat: string; specVersion: string; components: { purl: string }[] };
  expect([bill.bomFormat, Number(bill.specVersion) >= 1.5]).toEqual(["CycloneDX", true]);
  const named = new Set(bill.components.map(({ purl }) => decodeURIComponent(purl)));
  const installed = production.filter(([path]) => existsSync(join(ROOT, path)));
  const isNamed = ([path, { name, version }]: [string, Locked]) =>
    named.has(`pkg:npm/${name ?? path.split("node_modules/").at(-1)}@${version}`);
  expect(installed.filter((each) => !isNamed(each)).map(([path]) => path)).toEqual([]);
  const development = fetched
    .filter(([, { dev }]) => dev === true)
    .filter(isNamed)
    .map(([path]) => path);
  // A deployment has the same version of these as a package of its own.
  for (const path of development)
    expect(
      production.some(([other]) => other.split("node_modules/").at(-1) === path.split("node_modules/").at(-1)),
    ).toBe(true);
});
