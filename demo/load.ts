// SPDX-License-Identifier: Apache-2.0
/** The load under which `npm run demo:kill` takes parts away, as each part sees it. */
import type { Books } from "./books";
import type { SendingPace } from "./sent-events";

/** The load while parts are taken away. */
export interface Load {
  startedAtMs: number;
  accepted: () => number;
  /** Requests without a 202 until now, which were sent again. */
  refusals: () => number;
  pace: SendingPace;
  /** The job that counts; a target that ends it replaces it. */
  jobId: string;
  /** Accepted events that a target has deleted from the log, by minute of event time. */
  lost: Map<number, number>;
  /** Everything that a target found wrong. */
  faults: string[];
}

/** Brings the part back. */
export type Heal = () => Promise<void>;

export const lostEvents = ({ lost }: Pick<Load, "lost">): number => [...lost.values()].reduce((sum, n) => sum + n, 0);
export const countedOf = ({ counted, duplicate, late }: Books): number => counted + duplicate + late;
