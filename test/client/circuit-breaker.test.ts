// SPDX-License-Identifier: Apache-2.0
import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleType,
  isBrokenCircuitError,
} from "../../client/circuit-breaker";

class Failed extends Error {}
const FAILURES = 3;
const HALF_OPEN_AFTER_MS = 1_000;

describe("the circuit breaker", () => {
  const make = () =>
    circuitBreaker(handleType(Failed), {
      halfOpenAfter: HALF_OPEN_AFTER_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
    });
  const fail = (breaker: CircuitBreakerPolicy) =>
    breaker.execute(() => Promise.reject(new Failed())).catch((error) => error);
  const open = async (breaker: CircuitBreakerPolicy) => {
    for (let n = 0; n < FAILURES; n++) await fail(breaker);
  };
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("opens after so many failures in a row, and refuses then without a call", async () => {
    const breaker = make();
    await fail(breaker);
    await fail(breaker);
    await breaker.execute(async () => "a success starts anew");
    await fail(breaker);
    await fail(breaker);
    expect(breaker.state).toBe(CircuitState.Closed);
    await fail(breaker);
    expect(breaker.state).toBe(CircuitState.Open);
    const work = vi.fn(async () => "never");
    const error = await breaker.execute(work).catch((refusal) => refusal);
    expect(isBrokenCircuitError(error)).toBe(true);
    expect(work).not.toHaveBeenCalled();
  });

  it("does not count errors that are not its own, and passes them on", async () => {
    const breaker = make();
    const bug = new TypeError("a bug");
    for (let n = 0; n < 2 * FAILURES; n++) await expect(breaker.execute(() => Promise.reject(bug))).rejects.toBe(bug);
    expect(breaker.state).toBe(CircuitState.Closed);
  });

  it("lets one trial through after its time, which closes it", async () => {
    const breaker = make();
    await open(breaker);
    vi.advanceTimersByTime(HALF_OPEN_AFTER_MS + 1);
    let finish = (_: string) => {};
    const trial = breaker.execute(() => new Promise<string>((resolve) => (finish = resolve)));
    const isBeside = vi.fn(async () => "beside");
    const beside = breaker.execute(isBeside);
    expect(breaker.state).toBe(CircuitState.HalfOpen);
    await Promise.resolve();
    expect(isBeside).not.toHaveBeenCalled();
    finish("trial");
    expect(await Promise.all([trial, beside])).toEqual(["trial", "beside"]);
    expect(breaker.state).toBe(CircuitState.Closed);
  });

  it("closes where the trial ends in an error that is not its own, and passes it on", async () => {
    const breaker = make();
    await open(breaker);
    vi.advanceTimersByTime(HALF_OPEN_AFTER_MS);
    const bug = new TypeError("a bug");
    await expect(breaker.execute(() => Promise.reject(bug))).rejects.toBe(bug);
    expect(breaker.state).toBe(CircuitState.Closed);
    expect(await breaker.execute(async () => "goes on")).toBe("goes on");
  });

  it("stays open where work that began before ends, however it ends, and for no longer", async () => {
    const breaker = make();
    const ends: ((end: Promise<string>) => void)[] = [];
    const begin = () => breaker.execute(() => new Promise<string>((resolve) => ends.push(resolve))).catch(() => "");
    const earlier = [begin(), begin(), begin()];
    await open(breaker);
    vi.advanceTimersByTime(HALF_OPEN_AFTER_MS - 1);
    for (const end of [Promise.reject(new Failed()), Promise.resolve("well"), Promise.reject(new TypeError("a bug"))])
      ends.shift()!(end);
    await Promise.all(earlier);
    expect(breaker.state).toBe(CircuitState.Open);
    vi.advanceTimersByTime(1);
    expect(await breaker.execute(async () => "the trial")).toBe("the trial");
  });

  it("opens again where the trial fails, for the same time", async () => {
    const breaker = make();
    await open(breaker);
    vi.advanceTimersByTime(HALF_OPEN_AFTER_MS - 1);
    expect(isBrokenCircuitError(await fail(breaker))).toBe(true);
    vi.advanceTimersByTime(1);
    expect(await fail(breaker)).toBeInstanceOf(Failed);
    expect(breaker.state).toBe(CircuitState.Open);
    expect(isBrokenCircuitError(await fail(breaker))).toBe(true);
    vi.advanceTimersByTime(HALF_OPEN_AFTER_MS);
    expect(await breaker.execute(async () => "well again")).toBe("well again");
    expect(breaker.state).toBe(CircuitState.Closed);
  });

  it("lets its trial through at its time, however the machine's clock is set meanwhile", async () => {
    for (const jumpMs of [-86_400_000, -1, 1, 86_400_000]) {
      const breaker = make();
      await open(breaker);
      vi.setSystemTime(Date.now() + jumpMs);
      vi.advanceTimersByTime(HALF_OPEN_AFTER_MS - 1);
      expect(isBrokenCircuitError(await fail(breaker))).toBe(true);
      vi.advanceTimersByTime(1);
      expect(await breaker.execute(async () => "the trial")).toBe("the trial");
    }
  });
});
