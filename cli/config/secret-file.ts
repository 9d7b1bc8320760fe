// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";

/** Thrown when a secret file is unusable. The message is one line and never contains the file's content. */
class SecretFileError extends Error {
  override readonly name = "SecretFileError";
}

/**
 * Returns the text of the file without a line break at its end. Throws SecretFileError where the file cannot be read,
 * is empty, has fewer characters than required, or has a space, a line break or a character beyond ASCII. Access keys,
 * Redis's password and webhook secrets are read with it, so that no secret stands in a configuration file. Kafka's
 * password has rules of its own (kafka-connection.ts), because Java's client reads the same file.
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
