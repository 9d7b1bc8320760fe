// SPDX-License-Identifier: Apache-2.0
/**
 * A test runner for StrykerJS that keeps the compiled suites loaded in its own process, so that a mutant costs the
 * milliseconds of the tests that reach it; Vitest's own pool costs a second and more for each. The tests use vitest's
 * functions, hooks and matchers. A mutant that is evaluated while a module loads gets fresh modules. The watch
 * (watch.mjs) ends what does not end under a mutant.
 */
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { INSTRUMENTER_CONSTANTS } from "@stryker-mutator/api/core";
import { commonTokens, declareClassPlugin, PluginKind } from "@stryker-mutator/api/plugin";
import {
  DryRunStatus,
  determineHitLimitReached,
  MutantRunStatus,
  TestStatus,
  toMutantRunResult,
} from "@stryker-mutator/api/test-runner";
import { Watch } from "./watch.mjs";

/** The last resort: the watch ends a test that hangs under a mutant long before. */
const TEST_TIMEOUT_MS = 600_000;
const DRY_RUN_TIMEOUT_MS = 600_000;
const SLOW_TEST_MS = 3_000;
/** The slower tests that reach a mutant run last, the cheapest first, as many as this processor time allows. */
const QUICK_TEST_MS = 50;
const SLOWER_TESTS_MS = 1_000;
/** The tests that found one mutant run first for the next one. */
const REMEMBERED_KILLERS = 8;
const PROPERTY_RUNS = 40;
/**
 * Stryker gives a mutant up after a hundred times the hits of all tests together, which for the loops of a codec are
 * seconds: the watch would end the process, and the next one loads for seconds. From so many hits on, four times are
 * enough, which is the watch's multiple of processor time.
 */
const LEAST_HITS = 100_000;
const SEED = 20_261_129;

/** Stryker's copy of the sources, and its loader: Stryker makes it the working directory before it makes the runner. */
let sandbox = process.cwd();
let load = createRequire(join(sandbox, "package.json"));

const WORKER = {
  config: {
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    expect: { poll: { timeout: TEST_TIMEOUT_MS } },
  },
  ctx: {},
  environment: { name: "node" },
};

const imported = (file) => import(pathToFileURL(join(sandbox, "node_modules", file)).href);

class InProcessRunner {
  static inject = [commonTokens.options, commonTokens.logger];

  constructor(options, log) {
    this.log = log;
    this.timeoutMs = TEST_TIMEOUT_MS;
    sandbox = process.cwd();
    load = createRequire(join(sandbox, "package.json"));
    this.files = options.inProcess.tests.map((file) => join(sandbox, file));
    this.left = options.inProcess.leaveOut.map((name) => new RegExp(name, "u"));
    this.costsFile = options.inProcess.costsFile;
    this.endless = options.inProcess.endlessFolder;
    this.costs = new Map();
    this.killers = [];
    this.isWarm = false;
    globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] ??= {};
    this.stryker = globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE];
    this.stryker.isJudging = true;
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init() {
    // Vitest's matchers ask a worker's state for its configuration.
    globalThis.__vitest_worker__ = WORKER;
    const vitest = await imported("vitest/dist/index.js");
    this.runner = await imported("@vitest/runner/dist/index.js");
    for (const name of ["describe", "suite", "test", "it", "beforeAll", "beforeEach", "afterAll", "afterEach"])
      globalThis[name] = this.runner[name];
    for (const name of ["expect", "vi", "onTestFinished", "onTestFailed"]) globalThis[name] = vitest[name];
    process.on("unhandledRejection", (error) => this.strays.push(error));
    process.on("uncaughtException", (error) => this.strays.push(error));
    load("fast-check");
    fewRuns();
    this.strays = [];
    this.watch = new Watch(this.endless);
  }

  dispose() {
    return this.watch.close();
  }

  async dryRun({ coverageAnalysis }) {
    this.stryker.activeMutant = undefined;
    this.stryker.mutantCoverage = { static: {}, perTest: {} };
    this.stryker.isJudging = false;
    this.timeoutMs = DRY_RUN_TIMEOUT_MS;
    this.watch.begin();
    const result = await this.run({ perTest: coverageAnalysis === "perTest", bail: false });
    this.watch.end();
    this.stryker.isJudging = true;
    this.isWarm = true;
    this.timeoutMs = TEST_TIMEOUT_MS;
    const { mutantCoverage } = this.stryker;
    // Every mutant that nothing finds would pay for them. What they alone reach counts as reached by none.
    // By processor time: beside other work a test that waits for its turn is not slow.
    const isSlow = ({ status, cpuMs }) => status === TestStatus.Success && cpuMs > SLOW_TEST_MS;
    this.costs = new Map(result.tests?.map(({ id, cpuMs, quietMs, isSync }) => [id, { cpuMs, quietMs, isSync }]));
    writeFileSync(this.costsFile, JSON.stringify([...this.costs], null, 1));
    rmSync(this.endless, { recursive: true, force: true });
    for (const { id, cpuMs } of result.tests?.filter(isSlow) ?? []) {
      delete mutantCoverage.perTest[id];
      this.log.info(`left out, ${Math.round(cpuMs)} ms of processor time: ${id}`);
    }
    return { ...result, tests: result.tests?.filter((test) => !isSlow(test)), mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, mutantActivation, reloadEnvironment }) {
    if (existsSync(join(this.endless, activeMutant.id)))
      return { status: MutantRunStatus.Timeout, reason: "the process did not come to its end" };
    const hits = hitLimit === undefined ? undefined : Math.min(hitLimit, Math.max(hitLimit / 25, LEAST_HITS));
    this.stryker.hitCount = hits === undefined ? undefined : 0;
    this.stryker.hitLimit = hits;
    // Modules that were loaded under a mutant must not be used for the next one.
    if (reloadEnvironment || this.tainted) this.forget(join(sandbox, "dist") + sep);
    if (mutantActivation !== "static") await this.warmUp();
    this.tainted = mutantActivation === "static";
    this.watch.interrupted = false;
    const activate = () => {
      this.stryker.activeMutant = activeMutant.id;
    };
    this.stryker.activeMutant = undefined;
    if (mutantActivation === "static") activate();
    const result = await this.runInTurns(activeMutant.id, testFilter, activate);
    this.stryker.activeMutant = undefined;
    this.tainted ||= this.watch.interrupted;
    const endless = determineHitLimitReached(this.stryker.hitCount, hits);
    if (endless !== undefined) return toMutantRunResult(endless);
    const { given } = this.watch;
    return given === undefined ? toMutantRunResult(result) : { status: MutantRunStatus.Timeout, reason: given };
  }

  /**
   * Loads all suites before the first mutant of a process, or after modules were forgotten. That takes seconds of
   * processor time, and under the watch the mutant would seem to have no end.
   */
  async warmUp() {
    if (this.isWarm) return;
    // Only the first process makes the run without changes. Stryker starts the others before that run has ended.
    if (this.costs.size === 0) this.costs = new Map(JSON.parse(readFileSync(this.costsFile, "utf8")));
    this.stryker.activeMutant = undefined;
    for (const file of this.files) await this.runner.startTests([file], this.adapter({ only: new Set() }));
    this.isWarm = true;
  }

  /** Runs turn after turn of the tests that reach a mutant, up to the one that finds it. */
  async runInTurns(mutant, testFilter, collected) {
    const tests = [];
    this.watch.given = undefined;
    for (const only of testFilter === undefined ? [undefined] : this.turnsOf(testFilter)) {
      // A suite's own examples are made without the change, in every turn.
      if (testFilter !== undefined) this.stryker.activeMutant = undefined;
      this.watch.begin(
        mutant,
        Math.max(...[...(only ?? this.costs.keys())].map((id) => this.costs.get(id)?.cpuMs ?? 0)),
      );
      const turn = await this.run({ only, bail: true, collected });
      this.watch.end();
      tests.push(...turn.tests);
      const killer = turn.tests.find(({ status }) => status === TestStatus.Failed);
      if (killer !== undefined)
        this.killers = [killer.id, ...this.killers.filter((id) => id !== killer.id)].slice(0, REMEMBERED_KILLERS);
      if (killer !== undefined || this.watch.given !== undefined) break;
    }
    return { status: DryRunStatus.Complete, tests };
  }

  /**
   * The tests that reach a mutant, in the order that finds it soonest: recent finders, quick tests, slower tests. Quick
   * tests that never await come first: the watch can interrupt them, and need not end the process.
   */
  turnsOf(testFilter) {
    const cost = (id) => this.costs.get(id)?.cpuMs ?? 0;
    const asked = [...testFilter].sort((one, other) => cost(one) - cost(other));
    const quick = asked.filter((id) => cost(id) <= QUICK_TEST_MS);
    const slower = [];
    let sum = 0;
    for (const id of asked.filter((each) => cost(each) > QUICK_TEST_MS)) {
      sum += cost(id);
      if (sum > SLOWER_TESTS_MS && slower.length > 0) break;
      slower.push(id);
    }
    const isSync = (id) => this.costs.get(id)?.isSync === true;
    const recent = this.killers.filter((id) => quick.includes(id));
    const rest = quick.filter((id) => !recent.includes(id));
    const awaiting = [recent, rest].map((ids) => ids.filter((id) => !isSync(id)));
    const finders = this.killers.filter((id) => slower.includes(id));
    const others = slower.filter((id) => !finders.includes(id));
    const turns = [
      recent.filter(isSync),
      rest.filter(isSync),
      ...awaiting,
      ...[...finders, ...others].map((id) => [id]),
    ];
    return turns.filter((turn) => turn.length > 0).map((turn) => new Set(turn));
  }

  forget(prefix) {
    this.isWarm = false;
    for (const file of Object.keys(load.cache)) if (file.startsWith(prefix)) delete load.cache[file];
  }

  adapter(asked) {
    const { left, stryker, runner, watch, costs, timeoutMs } = this;
    const collected = () => undefined;
    return new Adapter({ collected, ...asked, left, stryker, runner, watch, costs, timeoutMs });
  }

  /** Runs file after file, so that the first failure ends it. */
  async run({ only, perTest = false, bail, collected = () => undefined }) {
    const tests = [];
    const files =
      only === undefined
        ? this.files
        : this.files.filter((file) => [...only].some((id) => id.startsWith(`${named(file)}#`)));
    this.strays = [];
    for (const file of files) {
      // A run that is ended from outside loses its copy, and without it every mutant would seem to be found.
      if (!existsSync(file)) process.exit(1);
      const adapter = this.adapter({ only, perTest, bail, collected });
      delete load.cache[file];
      const [task] = await this.runner.startTests([file], adapter);
      tests.push(...adapter.results);
      const errors = task.result?.errors ?? [];
      if (adapter.results.length === 0 && errors.length > 0) {
        const message = errors.map(({ stack, message }) => stack ?? message).join("\n");
        if (only === undefined && !bail) return { status: DryRunStatus.Error, errorMessage: `${file}: ${message}` };
        tests.push({
          id: named(file),
          name: named(file),
          status: TestStatus.Failed,
          failureMessage: message,
          timeSpentMs: 0,
        });
      }
      if (bail && tests.some(({ status }) => status === TestStatus.Failed)) break;
    }
    if (
      this.strays.length > 0 &&
      bail &&
      tests.length > 0 &&
      tests.every(({ status }) => status !== TestStatus.Failed)
    ) {
      const failureMessage = `an error outside the tests: ${String(this.strays[0]?.stack ?? this.strays[0])}`;
      tests[tests.length - 1] = { ...tests.at(-1), status: TestStatus.Failed, failureMessage };
    }
    return { status: DryRunStatus.Complete, tests };
  }
}

/** `dist/test/domain/event.test.js`, wherever the sandbox is. */
const named = (file) => relative(sandbox, file);

/**
 * Limits the runs of properties. A property that finds a mutant at all mostly finds it at once, and each of thousands
 * of mutants pays for every run. The seed is always the same, so that a mutant is found in every run or in none.
 */
function fewRuns() {
  const cached = load.cache[load.resolve("fast-check")];
  const { assert } = cached.exports;
  const few = (property, options) =>
    assert(property, { ...options, numRuns: Math.min(options?.numRuns ?? PROPERTY_RUNS, PROPERTY_RUNS), seed: SEED });
  const of = { ...cached.exports, __esModule: true, assert: few };
  cached.exports = { ...of, default: of };
}

/** The interface that @vitest/runner requires. */
class Adapter {
  results = [];
  viteEnvironment = "node";
  pool = "forks";
  config = {
    root: sandbox,
    setupFiles: [],
    name: "",
    passWithNoTests: true,
    testNamePattern: undefined,
    allowOnly: true,
    sequence: { shuffle: false, concurrent: false, seed: 0, hooks: "stack", setupFiles: "list" },
    chaiConfig: undefined,
    maxConcurrency: 1,
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    retry: 0,
    includeTaskLocation: false,
    diffOptions: undefined,
    tags: [],
    tagsFilter: undefined,
    strictTags: false,
  };

  constructor(asked) {
    this.asked = asked;
    this.config.testTimeout = asked.timeoutMs;
    this.config.hookTimeout = asked.timeoutMs;
    this.failed = false;
  }

  importFile(file) {
    load(file);
  }

  onCollected(files) {
    const numbers = new Map();
    const visit = (task, names) => {
      const path = [...names, task.name];
      if (task.type === "suite") {
        for (const child of task.tasks) visit(child, task.filepath === undefined ? path : []);
        return;
      }
      const name = path.join(" > ");
      const number = (numbers.get(name) ?? 0) + 1;
      numbers.set(name, number);
      task.strykerId = `${named(task.file.filepath)}#${name}${number === 1 ? "" : `#${number}`}`;
      const { only, left } = this.asked;
      if ((only !== undefined && !only.has(task.strykerId)) || left.some((pattern) => pattern.test(name)))
        task.mode = "skip";
    };
    for (const file of files) visit(file, []);
    for (const file of files) closed(file);
    for (const file of files) this.watchOver(file);
    this.asked.collected();
  }

  /** Puts the tests and hooks that will run under the watch. */
  watchOver(task) {
    const { runner, watch, costs } = this.asked;
    if (task.mode === "skip") return;
    if (task.type === "test") {
      runner.setFn(task, watch.watched(runner.getFn(task), costs.get(task.strykerId)));
      return;
    }
    const hooks = runner.getHooks(task);
    for (const kind of ["beforeAll", "afterAll", "beforeEach", "afterEach"])
      hooks[kind] = hooks[kind].map((hook) => Object.assign(watch.watched(hook), hook));
    for (const child of task.tasks) this.watchOver(child);
  }

  onBeforeRunTask(task) {
    this.asked.watch.quietMs = 0;
    this.asked.watch.hasReturned = false;
    this.cpuBefore = process.cpuUsage();
    if (this.asked.bail && this.failed) task.mode = "skip";
    if (this.asked.perTest) this.asked.stryker.currentTestId = task.strykerId;
  }

  onAfterRunTask(task) {
    this.asked.stryker.currentTestId = undefined;
    const { state, duration = 0, errors = [] } = task.result ?? {};
    if (state !== "pass" && state !== "fail") return;
    const { user, system } = process.cpuUsage(this.cpuBefore);
    const of = {
      id: task.strykerId,
      name: task.strykerId,
      timeSpentMs: Math.round(duration),
      cpuMs: (user + system) / 1_000,
      quietMs: this.asked.watch.quietMs,
      isSync: !this.asked.watch.hasReturned,
      fileName: join(sandbox, named(task.file.filepath).replace(/^dist\/(.*)\.js$/u, "$1.ts")),
    };
    if (state === "pass") this.results.push({ ...of, status: TestStatus.Success });
    else {
      this.failed = true;
      const failureMessage = errors
        .map(({ stack, message }) => stack ?? message)
        .join("\n")
        .slice(0, 2000);
      this.results.push({ ...of, status: TestStatus.Failed, failureMessage });
    }
  }
}

/** A suite without tests to run starts no hooks: beforeAll may be the dear part. */
function closed(suite) {
  for (const child of suite.tasks) if (child.type === "suite") closed(child);
  if (suite.tasks.every(({ mode }) => mode === "skip")) suite.mode = "skip";
}

/** Writes each mutant when it is judged, so that a run that is ended early has reported its results. */
class LineReporter {
  static inject = [commonTokens.options];

  constructor(options) {
    this.file = options.inProcess.linesFile;
  }

  onMutantTested({ status, fileName, location, mutatorName, replacement }) {
    const place = `${relative(process.cwd(), fileName)}:${location.start.line}:${location.start.column}`;
    appendFileSync(this.file, `${JSON.stringify({ status, place, mutatorName, replacement })}\n`);
  }
}

export const strykerPlugins = [
  declareClassPlugin(PluginKind.TestRunner, "in-process", InProcessRunner),
  declareClassPlugin(PluginKind.Reporter, "lines", LineReporter),
];
