// SPDX-License-Identifier: Apache-2.0
/**
 * Writing to a standard output that may be closed early, as `| head` closes it. The program and commands with much
 * output use it.
 */

/** The codes of writing to a pipe without a reader. */
const CLOSED = new Set(["EPIPE", "ERR_STREAM_DESTROYED"]);

/**
 * Handles a reader that closes the pipe before the end of the output, as `head` does: further output is dropped, and
 * the command ends with its usual status. Any other failure of the output, such as a full disk, ends the command with
 * one line and status 1.
 */
export function outliveClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (CLOSED.has(error.code ?? "")) return;
      if (stream === process.stdout) process.stderr.write(`viewmill: standard output: ${error.message}\n`);
      process.exit(1);
    });
}

/**
 * Resolves when more may be written to standard output: with `true`, or with `false` where no process reads it any
 * more.
 */
export async function written(text: string | Uint8Array): Promise<boolean> {
  const { stdout } = process;
  if (stdout.destroyed || stdout.errored !== null) return false;
  if (stdout.write(text)) return true;
  return new Promise((resolve) => {
    const end = (open: boolean) => () => {
      stdout.off("drain", drained);
      stdout.off("error", failed);
      resolve(open);
    };
    const [drained, failed] = [end(true), end(false)];
    stdout.once("drain", drained);
    stdout.once("error", failed);
  });
}
