// SPDX-License-Identifier: Apache-2.0
/**
 * Not a server: Schemathesis, which asks a service what its OpenAPI document allows and what it forbids.
 * `npm run schemathesis` runs it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed, type Recipe } from "./cache";
import { withPythonPackages } from "./python-packages";
import { VERSIONS } from "./versions";

const recipe: Recipe = {
  name: "schemathesis",
  version: VERSIONS.schemathesis,
  inputs: "",
  build: async (folder) => {
    const target = ["--no-compile", "--target", join(folder, "packages")];
    await withPythonPackages(folder, [...target, `schemathesis==${VERSIONS.schemathesis}`]);
  },
};

/** Requests of these types are sent as the text that was made for them. */
const HOOKS = `
import schemathesis

@schemathesis.serializer("application/x-ndjson", "application/vnd.viewmill.batch+avro")
def lines(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode("utf-8")}
`;

/**
 * What the document cannot say. The write API and the catalog judge event by event and line by line, and answer 202 or
 * 200 with each refused one by name. Rules across parameters (a start before its end, a comparison without a cursor, a
 * public key that may only write), opaque cursors and the age of an event refuse requests that the schema
 * allows. /readyz answers 503 where a store does not answer in time.
 */
const SETTINGS = `
hooks = "hooks.py"

[[operations]]
include-path-regex = "^/v1/(events|catalog/.*)$"
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "^/v1/(pixel.gif|keys|query|ledger|top|trending|videos|.*/(counts|stats|top))$"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/readyz"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
`;

/** nginx answers TRACE itself, with a 405 that names no methods. */
const BEHIND_NGINX = `
[checks]
unsupported_method.enabled = false
`;

interface SchemathesisRun {
  /** The address of the service, with its scheme. */
  url: string;
  key: string;
  seconds: number;
  seed: number;
  behindNginx: boolean;
  /** The folder of its files. */
  folder: string;
}

interface SchemathesisResult {
  /** Schemathesis found nothing: its exit status is 0. */
  isClean: boolean;
  output: string;
}

/** Runs for so long. An endless stream of events is left out: it has no end to be judged by. */
export async function runSchemathesis({
  url,
  key,
  seconds,
  seed,
  behindNginx,
  folder,
}: SchemathesisRun): Promise<SchemathesisResult> {
  const packages = join(await installed(recipe), "packages");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "schemathesis.toml"), behindNginx ? SETTINGS + BEHIND_NGINX : SETTINGS);
  writeFileSync(join(folder, "hooks.py"), HOOKS);
  const program = "import sys; from schemathesis.cli import schemathesis; sys.argv[0] = 'st'; schemathesis()";
  const args = ["run", `${url}/openapi.json`, "--header", `Authorization: Bearer ${key}`];
  const bounds = ["--max-time", String(seconds), "--seed", String(seed), "--request-timeout", "30", "--workers", "1"];
  const how = ["--phases", "coverage,fuzzing,stateful", "--exclude-path", "/v1/live", "--continue-on-failure"];
  const child = spawn("python3", ["-c", program, ...args, ...bounds, ...how, "--no-shrink"], {
    cwd: folder,
    env: { ...process.env, PYTHONPATH: packages, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [status] = (await once(child, "close")) as [number | null];
  return { isClean: status === 0, output };
}
