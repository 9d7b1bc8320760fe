// SPDX-License-Identifier: Apache-2.0
/**
 * Turns a test's deadline, which is its time on a free machine, into that of a slow one (deadline.ts). This applies to
 * tests, hooks and vi.waitFor everywhere, so that no new test can forget it. Runs before every test file; a process may
 * run several of them.
 */
import { deadline } from "./deadline";

type Callable = (...args: unknown[]) => unknown;

const SCALED = Symbol.for("viewmill/scaled-deadlines");

/**
 * `test(name, fn, 60_000)`, `test(name, { timeout: 60_000 }, fn)`, `afterAll(fn, 60_000)`: the number or the option,
 * wherever it stands.
 */
function scaledArguments(args: readonly unknown[]): unknown[] {
  return args.map((argument, at) => {
    if (typeof argument === "number" && at === args.length - 1) return deadline(argument);
    if (!isOptions(argument)) return argument;
    return { ...argument, timeout: deadline(argument.timeout) };
  });
}

function isOptions(argument: unknown): argument is { timeout: number } {
  return typeof argument === "object" && argument !== null && typeof Reflect.get(argument, "timeout") === "number";
}

/**
 * The function with scaled deadlines, and so all that hangs on it or comes from it: `test.each(table)(name, fn,
 * 60_000)`.
 */
function scaled<F extends Callable>(original: F): F {
  return new Proxy(original, {
    apply(target, its, args) {
      const result: unknown = Reflect.apply(target, its, takesTable(target) ? args : scaledArguments(args));
      return typeof result === "function" ? scaled(result as Callable) : result;
    },
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? scaled(member as Callable) : member;
    },
  });
}

/** A table's last entry may be a number. */
const takesTable = ({ name }: Callable): boolean => name === "each" || name === "for";

const all = globalThis as unknown as Record<string | symbol, unknown>;
if (all[SCALED] === undefined) {
  all[SCALED] = true;
  for (const name of ["test", "it", "describe", "suite", "beforeAll", "beforeEach", "afterAll", "afterEach"])
    all[name] = scaled(all[name] as Callable);
  const { setConfig } = vi;
  Object.assign(vi, {
    waitFor: scaled(vi.waitFor as Callable),
    waitUntil: scaled(vi.waitUntil as Callable),
    setConfig(config: { testTimeout?: number }) {
      const { testTimeout } = config;
      setConfig(testTimeout === undefined ? config : { ...config, testTimeout: deadline(testTimeout) });
    },
  });
}
