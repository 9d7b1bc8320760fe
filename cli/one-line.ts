// SPDX-License-Identifier: Apache-2.0
/**
 * The errors whose message is complete. cli/program.ts prints these errors as one line, and every other error with its
 * stack.
 */
const CLEAR = new Set([
  "ConfigError",
  "DataFolderError",
  "StoreUnavailableError",
  "SchemaVersionError",
  "CertificateError",
  "ListenError",
  "OpenServiceError",
  "SecretFileError",
  "KeyError",
  "WebhookSecretError",
  "StreamIdentityError",
  "LogFullError",
  "FlinkError",
  "DataflowError",
  "PreflightError",
  "ReadError",
  "CatalogFileError",
]);

/** Explains the system's codes to a user who has mistyped a path. */
const WORDS: Record<string, string> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EISDIR: "is a folder, and a file is wanted",
  ENOTDIR: "a part of the path is no folder",
  EEXIST: "is there already",
  ENOSPC: "no space is left on the device",
  EROFS: "is on a file system that cannot be written",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
  EMFILE: "too many files are open",
};

/**
 * Returns the message of an error that needs no stack: a clear one, or one of the system about a file. Returns
 * undefined for a bug, whose stack is needed.
 */
export function oneLineOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (CLEAR.has(error.name)) return error.message;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return undefined;
  const words = WORDS[code];
  return path === undefined || words === undefined ? error.message : `${path}: ${words}`;
}
