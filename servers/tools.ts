// SPDX-License-Identifier: Apache-2.0
/**
 * The programs that each server needs on the machine. A test is skipped, and `npm run servers` refuses, where one is
 * missing.
 */
import { spawnSync } from "node:child_process";

export const SERVER_NAMES = ["kafka", "bigtable", "pubsub", "gcs", "flink", "job-server", "expansion"] as const;
export type ServerName = (typeof SERVER_NAMES)[number];
/**
 * The programs that check a Terraform configuration (terraform.ts), Dockerfiles (hadolint.ts), Kubernetes resources
 * (kubernetes.ts), a graph (prism.ts) and Parquet files (pyarrow.ts).
 */
export type CheckerName =
  | "terraform"
  | "checkov"
  | "hadolint"
  | "kubernetes-validate"
  | "flink-operator"
  | "kustomize"
  | "librdkafka"
  | "prism"
  | "pyarrow";

interface Tool {
  /** As a person would look for it. */
  name: string;
  command: string;
  args: readonly string[];
}

const JAVA: Tool = { name: "java", command: "java", args: ["-version"] };
const JDK: Tool = { name: "javac (a JDK)", command: "javac", args: ["-version"] };
const MAVEN: Tool = { name: "mvn", command: "mvn", args: ["--version"] };
const GO: Tool = { name: "go", command: "go", args: ["version"] };
const TAR: Tool = { name: "tar", command: "tar", args: ["--version"] };
const PYTHON: Tool = { name: "python3 with venv", command: "python3", args: ["-c", "import venv, ensurepip"] };

const TOOLS: Record<ServerName | CheckerName, readonly Tool[]> = {
  kafka: [JAVA, MAVEN],
  // `jar`, which unpacks it, comes with javac.
  bigtable: [MAVEN, JDK],
  pubsub: [GO, PYTHON],
  gcs: [GO],
  flink: [JAVA, JDK, MAVEN],
  "job-server": [JAVA, JDK, MAVEN],
  expansion: [JAVA, JDK, MAVEN],
  terraform: [GO, TAR],
  checkov: [PYTHON],
  hadolint: [PYTHON],
  "kubernetes-validate": [PYTHON],
  "flink-operator": [JAVA, MAVEN, PYTHON],
  kustomize: [GO],
  librdkafka: [PYTHON],
  prism: [GO],
  pyarrow: [PYTHON],
};

const found = new Map<Tool, boolean>();

function isThere(tool: Tool): boolean {
  let there = found.get(tool);
  if (there === undefined) {
    there = spawnSync(tool.command, tool.args, { stdio: "ignore", timeout: 60_000 }).status === 0;
    found.set(tool, there);
  }
  return there;
}

/** Returns the missing tools of these servers (default: all). */
export function missingTools(names: readonly (ServerName | CheckerName)[] = SERVER_NAMES): string[] {
  const needed = new Set(names.flatMap((name) => TOOLS[name]));
  return [...needed].filter((tool) => !isThere(tool)).map((tool) => tool.name);
}
