import { spawnSync } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianProgram } from "./debian";

/** Names the file that says how far ahead a process' clock is (shifted-clock.ts). */
export const CLOCK_FILE_VARIABLE = "PROCESS_CLOCK_FILE";
const PRELOADED = join(__dirname, "shifted-clock.js");

/** A clock for Node processes of a test, ahead of the machine's by as much as is asked for; those without its environment keep the machine's. */
export class ProcessClock {
  private ahead = 0;
  private readonly secondsFile: string;

  constructor(private readonly file: string) {
    this.secondsFile = `${file}.seconds`;
    this.write();
  }

  get aheadMs(): number {
    return this.ahead;
  }

  now(): number {
    return Date.now() + this.ahead;
  }

  /** Environment of a process that goes by this clock. */
  get environment(): Record<string, string> {
    return { [CLOCK_FILE_VARIABLE]: this.file, NODE_OPTIONS: `--require ${PRELOADED}` };
  }

  /**
   * Environment of any other process that goes by this clock, for example a broker: libfaketime moves the time of day, and leaves the monotonic
   * clock, by which timers go. Throws where libfaketime cannot be had.
   */
  async serverEnvironment(): Promise<Record<string, string>> {
    return {
      LD_PRELOAD: await fakeTimeLibrary(),
      FAKETIME_TIMESTAMP_FILE: this.secondsFile,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** Every process that runs follows within moments, a server within two seconds. */
  advance(byMs: number): void {
    this.ahead += byMs;
    this.write();
  }

  /** In one step: a file that is half written would be another time. */
  private write(): void {
    replace(this.file, String(this.ahead));
    replace(this.secondsFile, `+${this.ahead / 1000}`);
  }
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

/** What the wrapper of libfaketime preloads: the dynamic linker knows the machine's folder of libraries, `$LIB`. */
async function fakeTimeLibrary(): Promise<string> {
  const faketime = await debianProgram("faketime");
  const { stdout, status } = spawnSync(faketime, ["-m", "-f", "+0", "printenv", "LD_PRELOAD"], { encoding: "utf8" });
  const [library] = stdout.trim().split(":");
  if (status !== 0 || library === undefined || library === "") throw new Error("faketime does not name its library");
  return library;
}
