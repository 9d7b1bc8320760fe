// SPDX-License-Identifier: Apache-2.0
/**
 * The text of an access key: `vm_<id>_<secret>`, or `vmpub_<id>_<secret>` for a key that is published in pages. Keys
 * are made by it (new-key.ts), and the ring recognises them by the hash.
 */
import { hash, randomBytes } from "node:crypto";

const ID_BYTES = 8;
/** A secret of 256 random bits cannot be guessed, so a plain hash of it is enough. */
const SECRET_BYTES = 32;
const MAX_CHARACTERS = 200;

interface NewKeyText {
  id: string;
  text: string;
  hash: string;
}

export function newKeyText(isPublic: boolean): NewKeyText {
  const id = randomBytes(ID_BYTES).toString("hex");
  const text = `${isPublic ? "vmpub" : "vm"}_${id}_${randomBytes(SECRET_BYTES).toString("base64url")}`;
  return { id, text, hash: hashOf(text) };
}

export const hashOf = (text: string): string => hash("sha256", text, "hex");

/** Returns the id in a key's text, or undefined where no key has such a text. */
export function idOf(text: string): string | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const from = text.indexOf("_") + 1;
  const to = text.indexOf("_", from);
  if (from === 0 || to === -1) return undefined;
  const kind = text.slice(0, from - 1);
  return kind === "vm" || kind === "vmpub" ? text.slice(from, to) : undefined;
}
