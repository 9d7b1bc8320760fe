// SPDX-License-Identifier: Apache-2.0
/**
 * The findings of an audit on a cluster, in a bucket. The job's workers write them, and `viewmill audit` reads them.
 */
import type { Findings } from "../ports";
import type { GcsOptions } from "./config";
import { GcsObjects } from "./objects";

export class GcsFindings implements Findings {
  readonly #objects: GcsObjects;

  /** Throws a RangeError for invalid options; connects at the first call. */
  constructor(options: GcsOptions) {
    this.#objects = new GcsObjects(options);
  }

  async write(auditId: string, name: string, text: string): Promise<void> {
    await this.#objects.put(nameOf(auditId, name), Buffer.from(text), "application/json");
  }

  async read(auditId: string, name: string): Promise<string | undefined> {
    return (await this.#objects.read(nameOf(auditId, name)))?.toString();
  }
}

const PART = /^[A-Za-z0-9-]{1,100}$/;

function nameOf(auditId: string, name: string): string {
  if (!PART.test(auditId) || !PART.test(name)) throw new RangeError(`"${auditId}/${name}" is not a finding's name`);
  return `${auditId}/${name}.json`;
}
