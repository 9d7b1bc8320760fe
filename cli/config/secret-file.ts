// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";

/** Thrown with one clear line, without the file's content, when a file does not hold the secret it should. */
class SecretFileError extends Error {
  override readonly name = "SecretFileError";
}

/**
 * Returns the text of the file without a line break at its end. Throws SecretFileError where the file cannot be read,
 * is empty or has fewer characters than required. Keys, passwords and webhook secrets are read by it, so that no secret
 * stands in a configuration file.
 */
export function readSecret(file: string, setting: string, leastCharacters = 1): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new SecretFileError(`${setting}: ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (text.length < leastCharacters)
    throw new SecretFileError(
      `${setting}: ${file} holds ${text.length} characters; at least ${leastCharacters} are wanted`,
    );
  if (!/^[\x21-\x7e]+$/.test(text))
    throw new SecretFileError(`${setting}: ${file} holds a space, a line break or a character beyond ASCII`);
  return text;
}
