// SPDX-License-Identifier: Apache-2.0
/**
 * The port of alerts: what is remembered of each rule, and the messages that webhooks are to receive. The service's
 * alerts write it, and webhooks are delivered from it.
 */
import type { AlertState } from "../../domain/rules/alerts";

export const DELIVERY_STATES = ["waiting", "delivered", "dead"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** A message for one webhook. */
export interface NewDelivery {
  /** Name of the webhook in the configuration. */
  webhook: string;
  /** The message's id, the same for each webhook and each attempt: receivers know a repeat by it. */
  messageId: string;
  rule: string;
  createdAtMs: number;
  /** JSON, as it is sent. */
  body: string;
}

export interface Delivery extends NewDelivery {
  /** Grows with each delivery of the store. */
  sequence: number;
  state: DeliveryState;
  attempts: number;
  /** When the next attempt is due, while it waits. */
  nextAttemptAtMs: number;
  /** The earliest time from which it dies: its creation, or its last replay. */
  sinceMs: number;
  /** When it was delivered or died. */
  endedAtMs?: number;
  /** The result of the last attempt; absent before the first. */
  lastOutcome?: string;
}

/** How an attempt ended. */
export type AttemptOutcome =
  | { state: "delivered"; atMs: number; detail: string }
  | { state: "waiting"; nextAttemptAtMs: number; detail: string }
  | { state: "dead"; atMs: number; detail: string };

/** Every method rejects with `StoreUnavailableError` where the store does not answer. */
export interface AlertStore {
  /** The state of the rules, by name. */
  states(): Promise<Map<string, AlertState>>;
  /**
   * Remembers the state of a rule and keeps the messages of its crossings, both or neither. A webhook for which
   * `maxWaiting` deliveries wait already gets its message as a dead one.
   */
  record(rule: string, state: AlertState, deliveries: readonly NewDelivery[], maxWaiting: number): Promise<void>;
  /** Forgets every rule that is not named. */
  keepRules(names: readonly string[]): Promise<void>;
  /**
   * Waiting deliveries of a webhook whose next attempt is due, the oldest first. An attempt that lies further ahead
   * than `longestPauseMs` is due, too: a clock that has been set back since has planned it.
   */
  due(webhook: string, nowMs: number, limit: number, longestPauseMs?: number): Promise<Delivery[]>;
  /** Notes an attempt of a delivery that waits; one that does not wait is left as it is. */
  attempted(sequence: number, outcome: AttemptOutcome): Promise<void>;
  /** The newest first. */
  list(query: {
    limit: number;
    beforeSequence?: number;
    messageId?: string;
    state?: DeliveryState;
    webhook?: string;
  }): Promise<Delivery[]>;
  /** Deliveries that wait, by webhook. */
  waiting(): Promise<Map<string, number>>;
  /** Makes deliveries wait again, due at once, whatever their state; gives how many there are. */
  replay(query: { messageId?: string; webhook?: string; state?: DeliveryState }, nowMs: number): Promise<number>;
  /** Forgets deliveries that ended before. */
  prune(endedBeforeMs: number): Promise<void>;
  close(): Promise<void>;
}
