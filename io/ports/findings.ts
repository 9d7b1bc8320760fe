// SPDX-License-Identifier: Apache-2.0
/** The findings of an audit's workers, which the process that started the audit reads. */
export interface Findings {
  /** Writes or replaces a finding; durable when it resolves. Names: letters, digits and `-`, at most 100. */
  write(auditId: string, name: string, text: string): Promise<void>;
  /** Resolves with undefined where no finding has that name. */
  read(auditId: string, name: string): Promise<string | undefined>;
}
