// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps writers away from cells that leave the store, and from the levels above cells that have left it. The counter
 * store asks it in every round and at every read of the past.
 */
import { YOUNGEST_ROLLED_MS } from "../../domain/rules/roll-ups";
import { HOUR_MS, HOURS_A_DAY } from "../../domain/rules/time";
import { type RolledLevel, StoreUnavailableError } from "../ports";
import type { TierState } from "../ports/cell-tiers";
import type { TierStates } from "./tier-states";

interface HourOfWrites {
  hour: number;
  writes: { correction: unknown }[];
}

/** Which cells below hours and days have left the store. */
export interface LeftCells {
  minutesOf(hour: number): boolean;
  hoursOf(day: number): boolean;
}

const NOTHING = () => false;
const NONE_LEFT: LeftCells = { minutesOf: NOTHING, hoursOf: NOTHING };

export class TierGuard {
  constructor(
    private readonly states: TierStates,
    private readonly clock: () => number,
  ) {}

  /**
   * Takes writes of a stream away where the hour's minutes have left the store. An absolute number of a stream may
   * contain events that are in the roll-ups; the audit alone knows which events are not. Rejects with
   * `StoreUnavailableError` where the hour is being rolled up.
   */
  async admit(works: readonly HourOfWrites[]): Promise<void> {
    const old = works.filter(({ hour }) => this.#mayHaveLeft(hour));
    if (old.length === 0) return;
    const state = await this.states.tiers();
    for (const work of old) {
      refuseRolling(state, work.hour, work.hour + 1);
      if (!hasLeft(state, "minute", work.hour, work.hour + 1)) continue;
      work.writes = work.writes.filter(({ correction }) => typeof correction !== "number");
    }
  }

  /** Returns what has left of [fromHour, toHour). Rejects as `admit`. */
  async left(fromHour: number, toHour: number): Promise<LeftCells> {
    if (!this.#mayHaveLeft(fromHour)) return NONE_LEFT;
    const state = await this.states.tiers();
    refuseRolling(state, fromHour, toHour);
    return {
      minutesOf: (hour) => hasLeft(state, "minute", hour, hour + 1),
      hoursOf: (day) => hasLeft(state, "hour", day * HOURS_A_DAY, (day + 1) * HOURS_A_DAY),
    };
  }

  /**
   * Returns whether a cell of the level is in roll-ups and not deleted yet. Such a cell must not be read. `fromMs` is
   * the earliest time that is asked for.
   */
  async hidden(level: RolledLevel, fromMs: number): Promise<(timeMs: number) => boolean> {
    if (!this.#mayHaveLeft(Math.floor(fromMs / HOUR_MS))) return NOTHING;
    const { rolling } = await this.states.tiers();
    if (rolling?.phase !== "dropping" || rolling.level !== level) return NOTHING;
    return (timeMs) => timeMs >= rolling.fromMs && timeMs < rolling.toMs;
  }

  /** Returns whether minutes or hours of [fromMs, toMs) have left the store, or are leaving it. */
  async mayBeCold(fromMs: number, toMs: number): Promise<boolean> {
    if (!this.#mayHaveLeft(Math.floor(fromMs / HOUR_MS))) return false;
    const { rollUps, rolling } = await this.states.tiers();
    const ranges = rolling === undefined ? rollUps : [...rollUps, rolling];
    return ranges.some((one) => one.fromMs < toMs && one.toMs > fromMs);
  }

  #mayHaveLeft(hour: number): boolean {
    return hour * HOUR_MS < this.clock() - YOUNGEST_ROLLED_MS;
  }
}

function refuseRolling({ rolling }: TierState, fromHour: number, toHour: number): void {
  if (rolling === undefined || rolling.fromMs >= toHour * HOUR_MS || rolling.toMs <= fromHour * HOUR_MS) return;
  throw new StoreUnavailableError("the hour is being rolled up: write again later");
}

function hasLeft({ rollUps }: TierState, level: RolledLevel, fromHour: number, toHour: number): boolean {
  return rollUps.some((one) => one.level === level && one.fromMs < toHour * HOUR_MS && one.toMs > fromHour * HOUR_MS);
}
