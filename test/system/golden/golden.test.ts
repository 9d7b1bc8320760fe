// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HOUR_MS } from "../../../domain/rules/time";
import { BoundedRunner } from "./bounded-runner";
import { EmbeddedRunner } from "./embedded-runner";
import { expectOutcome, type GoldenRunner } from "./outcome";
import { auditedScripts, type GoldenScript, goldenScripts, parseScript, tieredScripts } from "./script";
import { TieredRunner } from "./tiered-runner";
import { scriptsTogether } from "./together";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-golden-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const spreads = [1, 4].flatMap((dedupePartitions) => [1, 3].map((videoShards) => ({ dedupePartitions, videoShards })));
const runners: GoldenRunner[] = [
  new EmbeddedRunner({ ...spreads[0]!, keepPanes: true }),
  new BoundedRunner({ ...spreads[3]!, keepPanes: true }),
];
/** On these all scripts as one: opening the stores takes longer than a script. */
const furtherRunners: GoldenRunner[] = [
  ...spreads.slice(1).map((spread) => new EmbeddedRunner({ ...spread, keepPanes: true })),
  ...[spreads[0]!, spreads[3]!].map((spread) => new EmbeddedRunner({ ...spread, keepPanes: false })),
  new BoundedRunner({ ...spreads[0]!, keepPanes: true }),
];

const named = <Each extends { readonly name: string }>(all: readonly Each[]) =>
  all.map((each) => [each.name, each] as const);

describe.each(named(runners))("%s", (_name, runner) => {
  test.each(named(goldenScripts()))("%s", async (_script, script) => {
    expectOutcome(script, await runner.run(script, folder));
  });
});

test.each(["of all", "of each"] as const)(
  "scripts as one, with the passes %s, have events that are hours late, a replay and a job that is away, all counted in the end",
  (passes) => {
    const scripts = scriptsTogether(passes).filter(({ closingAudits }) => closingAudits.length > 0);
    const steps = scripts.flatMap((script) => script.steps);
    expect(new Set(steps.map(({ kind }) => kind))).toEqual(new Set(["send", "pass", "away", "back", "replay"]));
    const late = goldenScripts().find(({ name }) => name === "late-by-hours")!;
    const delays = late.steps.flatMap((step) =>
      step.kind === "send" ? step.events.map(({ raw }) => step.receivedAtMs - Date.parse(String(raw.eventTime))) : [],
    );
    expect(Math.max(...delays)).toBeGreaterThan(late.allowedLatenessMs + 2 * HOUR_MS);
    for (const { accepted, archived, counted, duplicate } of late.ledger.values()) {
      expect(archived).toBe(accepted);
      expect(counted + duplicate).toBe(accepted);
    }
  },
);

describe.each(named(furtherRunners))("%s", (_name, runner) => {
  test.each(named(scriptsTogether("of each")))("%s", async (_script, script) => {
    expectOutcome(script, await runner.run(script, folder));
  });
});

describe.each(["of all", "of each"] as const)(
  "scripts as one, with the passes %s, leave what each of them does",
  (passes) => {
    test.each(named(scriptsTogether(passes)))("%s", async (_name, script) => {
      expectOutcome(script, await runners[0]!.run(script, folder));
    });
  },
);

describe.each(named([true, false].map((keepPanes) => new EmbeddedRunner({ ...spreads[3]!, keepPanes }))))(
  "with audits, %s",
  (_name, runner) => {
    test.each(named(auditedScripts()))("%s", async (_script, script) => {
      expectOutcome(script, await runner.run(script, folder));
    });
  },
);

describe.each(named([true, false].map((keepPanes) => new TieredRunner({ ...spreads[3]!, keepPanes }))))(
  "with roll-ups, %s",
  (_name, runner) => {
    test.each(named(tieredScripts()))("%s", async (_script, script) => {
      expectOutcome(script, await runner.run(script, folder));
    });
  },
);

describe("a script that expects something else fails", () => {
  const runner = runners[0]!;
  const text = [
    "day 2026-11-21",
    "send at 10:00:05",
    "  e1 v1 VIEW 10:00:01",
    "  e2 v1 view 10:00:01 -> bad-event-type",
  ];
  const good = ["cells", "  10:00 v1 VIEW 1 last 10:00:01", "ledger", "  10:00 accepted 1 counted 1"];
  const failing: [string, string, string][] = [
    ["another count", "VIEW 1 last", "VIEW 2 last"],
    ["another sum", "VIEW 1 last", "VIEW 1 sum 5 last"],
    ["another last", "last 10:00:01", "last 10:00:02"],
    ["a cell that is not there", "ledger", "  10:01 v1 VIEW 1 last 10:01:00\nledger"],
    ["an hour that is not there", "ledger", "hours\n  11:00 v1 VIEW 1\nledger"],
    ["another ledger", "counted 1", "counted 2"],
    ["another dead letter", "bad-event-type", "bad-value"],
  ];

  test("and the same as it is passes", async () => {
    const script = parseScript("good", [...text, ...good].join("\n"));
    expectOutcome(script, await runner.run(script, folder));
  });

  test.each(failing)("%s", async (_what, from, to) => {
    const script: GoldenScript = parseScript("bad", [...text, ...good].join("\n").replace(from, to));
    const outcome = await runner.run(script, folder);
    expect(() => expectOutcome(script, outcome)).toThrow();
  });
});

test.each([
  ["sent at 10:00", /bad.golden:1: "sent at 10:00" is no heading/],
  ["day 2026-11-21\nsend at noon", /bad.golden:2: "noon" is no time/],
  ["  e1 v1 VIEW", /bad.golden:1: an indented line/],
  ["day 2026-11-21\nsend at 10:00\n  e v VIEW 10:00 -> odd", /bad.golden:3: "odd" is no reason/],
  ["day 2026-11-21\nledger\n  10:00 lost 1", /bad.golden:3: the ledger has no "lost"/],
])("a script that cannot be understood names its line: %j", (text, message) => {
  expect(() => parseScript("bad", text)).toThrow(message);
});
