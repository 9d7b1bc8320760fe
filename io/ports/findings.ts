// SPDX-License-Identifier: Apache-2.0
/** What the workers of an audit found, on its way to whoever asked for it. */
export interface Findings {
  /** Durable when it resolves; writing again replaces. Names: letters, digits and `-`, at most 100. */
  write(auditId: string, name: string, text: string): Promise<void>;
  /** undefined: nothing was found of that name. */
  read(auditId: string, name: string): Promise<string | undefined>;
}
