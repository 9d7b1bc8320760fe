// SPDX-License-Identifier: Apache-2.0
/**
 * An error of user code, with the full name of its stage (`outer/inner`); the original error is `cause`. The direct
 * runner and workers throw it.
 */
export class StageError extends Error {
  readonly stage: string;

  constructor(stage: string, cause: unknown) {
    super(`stage "${stage}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "StageError";
    this.stage = stage;
  }

  /** Names the stage, unless an inner stage has named itself already. */
  static from(stage: string, error: unknown): StageError {
    return error instanceof StageError ? error : new StageError(stage, error);
  }
}
