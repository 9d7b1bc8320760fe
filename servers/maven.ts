// SPDX-License-Identifier: Apache-2.0
/** Recipes for the servers that are jars from Maven's repository. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { locked, type Recipe, runTool } from "./cache";
import { VERSIONS } from "./versions";

interface Artifact {
  groupId: string;
  artifactId: string;
  version: string;
  /** `groupId:artifactId`, `*` for all. */
  exclusions?: readonly string[];
}

function pomOf(artifacts: readonly Artifact[]): string {
  const exclusion = (each: string): string => {
    const [groupId, artifactId] = each.split(":");
    return `<exclusion><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId></exclusion>`;
  };
  const dependency = ({ groupId, artifactId, version, exclusions = [] }: Artifact): string =>
    `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version>` +
    `<exclusions>${exclusions.map(exclusion).join("")}</exclusions></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>viewmill</groupId><artifactId>servers</artifactId><version>1</version>
<dependencies>
${artifacts.map(dependency).join("\n")}
</dependencies></project>
`;
}

/** Maven's own local repository bears one writer: whatever runs Maven takes this lock. */
async function runMaven(folder: string, goal: string, args: readonly string[]): Promise<void> {
  const plugin = `org.apache.maven.plugins:maven-dependency-plugin:${VERSIONS.mavenDependencyPlugin}:${goal}`;
  await locked("maven", () => runTool("mvn", ["-q", "-B", plugin, ...args], { cwd: folder }));
}

/** The jars of the artifacts and of all they depend on, in `<folder>/lib`, and what `further` adds. */
export function jarsRecipe(
  name: string,
  version: string,
  artifacts: readonly Artifact[],
  further?: { inputs: string; build(folder: string): Promise<void> },
): Recipe {
  const pom = pomOf(artifacts);
  return {
    name,
    version,
    inputs: pom + (further?.inputs ?? ""),
    build: async (folder) => {
      writeFileSync(join(folder, "pom.xml"), pom);
      const lib = join(folder, "lib");
      await runMaven(folder, "copy-dependencies", ["-DincludeScope=runtime", `-DoutputDirectory=${lib}`]);
      await further?.build(folder);
    },
  };
}

/** Copies the jar of one artifact alone into the folder; gives its file. */
export async function copyJar(artifact: Artifact, folder: string): Promise<string> {
  const { groupId, artifactId, version } = artifact;
  mkdirSync(folder, { recursive: true });
  const name = `-Dartifact=${groupId}:${artifactId}:${version}`;
  await runMaven(folder, "copy", [name, `-DoutputDirectory=${folder}`, "-Dmdep.useBaseVersion=true"]);
  return join(folder, `${artifactId}-${version}.jar`);
}
