// SPDX-License-Identifier: Apache-2.0
/**
 * The circuit breaker of a delivery. It goes by the monotonic clock, so that a machine's clock that is set back keeps
 * no circuit open. (cockatiel's goes by the wall clock, and has ten times the bytes.)
 */
export const CircuitState = { Closed: 0, Open: 1, HalfOpen: 2 } as const;

type Handles = (error: unknown) => boolean;

export class ConsecutiveBreaker {
  constructor(readonly failures: number) {}
}

class BrokenCircuitError extends Error {}

export const isBrokenCircuitError = (error: unknown): boolean => error instanceof BrokenCircuitError;

export const handleType =
  (type: abstract new (...args: never[]) => Error): Handles =>
  (error) =>
    error instanceof type;

export interface CircuitBreakerPolicy {
  readonly state: (typeof CircuitState)[keyof typeof CircuitState];
  execute<Result>(work: () => Promise<Result>): Promise<Result>;
}

/**
 * Opens after this many handled failures in a row; after `halfOpenAfter` milliseconds one trial decides, and calls
 * beside the trial wait for it.
 */
export function circuitBreaker(
  handles: Handles,
  { halfOpenAfter, breaker }: { halfOpenAfter: number; breaker: ConsecutiveBreaker },
): CircuitBreakerPolicy {
  let state: CircuitBreakerPolicy["state"] = CircuitState.Closed;
  let [failures, openedAt] = [0, 0];
  let trial: Promise<unknown> | undefined;
  /** Work that began before the circuit opened may end later; only a trial decides on an open circuit. */
  const attempt = async <Result>(work: () => Promise<Result>, isTrial: boolean): Promise<Result> => {
    try {
      const result = await work();
      failures = 0;
      if (isTrial) state = CircuitState.Closed;
      return result;
    } catch (error) {
      if (handles(error)) {
        if (isTrial || (++failures >= breaker.failures && state === CircuitState.Closed)) {
          state = CircuitState.Open;
          openedAt = performance.now();
        }
      } else if (isTrial) state = CircuitState.Closed;
      throw error;
    }
  };
  const execute = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (state === CircuitState.Closed) return attempt(work, false);
    if (state === CircuitState.HalfOpen) {
      await trial?.catch(() => {});
      return execute(work);
    }
    if (performance.now() - openedAt < halfOpenAfter) throw new BrokenCircuitError("the circuit is open");
    state = CircuitState.HalfOpen;
    const running = attempt(work, true);
    trial = running;
    return running;
  };
  return {
    get state() {
      return state;
    },
    execute,
  };
}
