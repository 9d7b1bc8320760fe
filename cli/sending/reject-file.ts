// SPDX-License-Identifier: Apache-2.0
import { isUtf8 } from "node:buffer";
import { closeSync, openSync, writeSync } from "node:fs";
import type { RejectedLine } from "./line-sender";

/**
 * The file of lines that were not accepted: one JSON object a line with `line` (its number), `reason`, `detail` and
 * `original`, the line unchanged (`originalBase64` where it is not UTF-8). `jq -r .original` gives a file that can be
 * sent again. The first rejected line creates the file. `viewmill send --rejects` writes it.
 */
export class RejectFile {
  private handle: number | undefined;

  constructor(readonly path: string) {}

  get written(): boolean {
    return this.handle !== undefined;
  }

  write({ number, bytes, reason, detail }: RejectedLine): void {
    this.handle ??= openSync(this.path, "w");
    const original = isUtf8(bytes) ? { original: bytes.toString() } : { originalBase64: bytes.toString("base64") };
    writeSync(this.handle, `${JSON.stringify({ line: number, reason, detail, ...original })}\n`);
  }

  close(): void {
    if (this.handle !== undefined) closeSync(this.handle);
  }
}
