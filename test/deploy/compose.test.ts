// SPDX-License-Identifier: Apache-2.0
/** deploy/compose: settings by the schema, the image by its Dockerfile, and what the container may not do. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { loadConfig } from "../../cli/config/load";
import { readDockerfile } from "../system/images/dockerfile";

const ROOT = join(__dirname, "..", "..", "..");
const FOLDER = join(ROOT, "deploy", "compose");

interface Service {
  build: { context: string; dockerfile: string; target: string };
  environment: Record<string, string>;
  secrets: string[];
  ports: string[];
  volumes: string[];
  stop_grace_period: string;
}

const compose = parse(readFileSync(join(FOLDER, "compose.yaml"), "utf8")) as {
  services: { viewmill: Service };
  secrets: Record<string, object>;
  volumes: Record<string, object>;
};
const service = compose.services.viewmill;
const context = join(FOLDER, service.build.context);
const stage = readDockerfile(readFileSync(join(context, service.build.dockerfile), "utf8")).stages.find(
  ({ name }) => name === service.build.target,
);
const ofImage: Record<string, string> = Object.assign(
  {},
  ...(stage?.steps ?? []).flatMap((step) => (step.kind === "ENV" ? [step.entries] : [])),
);
const config = loadConfig({}, { ...ofImage, ...service.environment });

it("builds the service's image from this repository", () => {
  expect(existsSync(join(context, "package.json"))).toBe(true);
  expect(stage).toBeDefined();
});

it("has settings that Viewmill knows: beyond loopback it asks for keys, and the canary runs", () => {
  expect(config.http).toMatchObject({ host: "0.0.0.0", insecure: false });
  expect(config.canary.enabled).toBe(true);
  expect(config.keys.operatorKeyFile).toBe(`/run/secrets/${service.secrets[0]}`);
  expect(Object.keys(compose.secrets)).toEqual(service.secrets);
});

it("publishes the service's port, keeps its data in a volume, and waits for its end", () => {
  expect(service.ports.map((port) => Number(port.split(":").at(-1)))).toEqual([config.http.port]);
  const [volume, path] = service.volumes[0]!.split(":");
  expect([Object.keys(compose.volumes), path]).toEqual([[volume], config.data]);
  expect(Number(/^(\d+)s$/.exec(service.stop_grace_period)?.[1])).toBeGreaterThan(config.http.drainSeconds + 20);
});

it("may write to its volume and to /tmp alone, and gains no privilege", () => {
  expect(service).toMatchObject({
    read_only: true,
    tmpfs: ["/tmp"],
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
  });
});
