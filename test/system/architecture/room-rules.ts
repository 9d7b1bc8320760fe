// SPDX-License-Identifier: Apache-2.0
/** The arrows between rooms as rules of dependency-cruiser. ARCHITECTURE.md gives the reasons. */
import type { IForbiddenRuleType } from "dependency-cruiser" with { "resolution-mode": "import" };

/** The rooms that the command line puts together. */
const SHIPPED = [
  ...["domain", "engine", "io", "intake", "transforms", "pipelines"],
  ...["admission", "ingest-api", "query-api", "client"],
];

/** The rooms, or folders and files of rooms, that the sources of a room may import. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  domain: [],
  engine: [],
  io: ["domain"],
  intake: ["domain", "io/ports", "io/formats"],
  transforms: ["domain", "engine", "io/ports", "io/formats", "intake"],
  pipelines: ["domain", "engine", "io/ports", "io/formats", "io/flow", "transforms", "intake"],
  admission: ["domain", "io/ports"],
  "ingest-api": ["domain", "io/ports", "io/formats", "intake", "admission"],
  // NDJSON has the same lines in a catalog as among events.
  "query-api": ["domain", "io/ports", "io/formats", "admission", "intake/lines"],
  // Its types alone: content-rules.ts.
  client: ["domain/rejection"],
  plan: ["domain"],
  cli: [...SHIPPED, "plan"],
  servers: ["io/sqlite/data-folder"],
  demo: ["domain", "engine", "io", "cli", "servers"],
  bench: [...SHIPPED, "cli", "servers", "demo"],
};

export const ROOMS = Object.keys(MAY_IMPORT);

/** Rooms whose programs are for the machine of a developer. */
const DEVELOPMENT = ["bench", "demo", "servers"];
/**
 * The packages in the checkout, and what their own package.json must declare. The engine uses the SDK's copy of
 * protobufjs.
 */
const OTHER_THAN_DECLARED = { engine: ["protobufjs"], client: [] };

/**
 * The files of every adapter of a server. A folder of io/ that has the first of them is such an adapter, and its
 * errors.ts alone decides what is worth a retry.
 */
export const ROOMS_OF_ADAPTER = ["config.ts", "connection.ts", "errors.ts", "codec.ts"] as const;

type Rule = (name: string, from: object, to: object) => IForbiddenRuleType;

function adapterRules(rule: Rule, servers: readonly string[]): IForbiddenRuleType[] {
  const folders = servers.map((server) => `io/${server}/`);
  return [
    rule(
      "what is worth a retry is decided in an adapter's errors.ts",
      { pathNot: `${anyOf(folders)}errors\\.js$` },
      { path: "^io/flow/retry\\.js$" },
    ),
    rule(
      "a package below io/ is a server's client, a format's or flow control's",
      { path: "^io/", pathNot: anyOf([...folders, "io/formats/", "io/flow/"]) },
      { path: "node_modules/" },
    ),
    rule(
      "an adapter's config.ts knows no client",
      { path: `${anyOf(folders)}config\\.js$` },
      { path: "^io/[^/]+/(connection|errors|codec)\\.js$" },
    ),
    rule(
      "retries of servers are those of io/flow/retry.ts",
      { path: "^(?!io/flow/retry)" },
      { path: npm(["cockatiel"]) },
    ),
  ];
}

const anyOf = (names: readonly string[]) => `^(${names.map((name) => name.replaceAll("/", "\\/")).join("|")})`;
const pathOf = (names: readonly string[]) => `${anyOf(names)}(/|\\.js$)`;
const npm = (names: readonly string[]) => `node_modules/(${names.join("|")})/`;

/** `declared`: the dependencies in the package.json of engine/ and client/. `servers`: the adapters of servers. */
export function roomRules(
  declared: Record<"engine" | "client", readonly string[]>,
  servers: readonly string[],
): IForbiddenRuleType[] {
  const rule = (name: string, from: object, to: object): IForbiddenRuleType => ({ name, severity: "error", from, to });
  const rooms = ROOMS.map((room) =>
    rule(
      `${room} knows only its own rooms`,
      { path: `^${room}/` },
      { path: anyOf(ROOMS.map((each) => `${each}/`)), pathNot: pathOf([room, ...MAY_IMPORT[room]!]) },
    ),
  );
  const packages = (["engine", "client"] as const).map((room) =>
    rule(
      `${room} uses what its own package.json declares`,
      { path: `^${room}/` },
      { path: "node_modules/", pathNot: npm([...declared[room], ...OTHER_THAN_DECLARED[room]]) },
    ),
  );
  return [
    rule("no circles", {}, { circular: true }),
    ...rooms,
    rule(
      "an adapter knows ports, formats and flow control, and no other adapter",
      { path: "^io/(?!ports|formats|flow)([^/]+)/" },
      { path: "^io/", pathNot: "^io/(ports|formats|flow|$1)/" },
    ),
    rule("ports know no adapter", { path: "^io/ports/" }, { path: "^io/(?!ports/)" }),
    rule("formats know ports, and no adapter", { path: "^io/formats/" }, { path: "^io/(?!ports/|formats/)" }),
    rule("flow control knows ports, and no adapter", { path: "^io/flow/" }, { path: "^io/(?!ports/|flow/)" }),
    ...adapterRules(rule, servers),
    ...packages,
    rule("apache-beam is imported by engine alone", { pathNot: "^engine/" }, { path: npm(["apache-beam"]) }),
    rule("the domain uses nothing but hashes", { path: "^domain/" }, { path: "node_modules/" }),
    rule("the domain does no I/O", { path: "^domain/" }, { dependencyTypes: ["core"], pathNot: "^(node:)?crypto$" }),
    rule("the process is reached by cli/environment.ts", {}, { path: "^(node:)?process$" }),
    rule(
      "what is imported is declared",
      { pathNot: anyOf(DEVELOPMENT.map((room) => `${room}/`)) },
      {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown", "npm-optional"],
        pathNot: npm(OTHER_THAN_DECLARED.engine),
      },
    ),
    rule("everything imported is there", {}, { couldNotResolve: true }),
  ];
}
