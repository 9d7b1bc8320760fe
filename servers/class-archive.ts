// SPDX-License-Identifier: Apache-2.0
/**
 * Archives of classes ("class data sharing"). A virtual machine maps the classes that an earlier one has loaded,
 * checked and linked, instead of repeating that work. The first that has done the intended work writes the archive as
 * it ends; later ones use it. The Java servers start from one (java-server.ts).
 */
import { createHash, randomBytes } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cacheFolder } from "./cache";

interface ArchivedProgram {
  /** [a-z-]; the file's name begins with it. */
  name: string;
  /**
   * The class path of the archive: the same jars, unchanged, in the same order. An archive cannot hold folders of
   * classes.
   */
  classPath: readonly string[];
  /**
   * Part of an internal class name (`a/b/C`) that nothing names before the program does its work: an archive without it
   * is not kept.
   */
  wanted: string;
  /** The program's own folder. */
  folder: string;
}

export class ClassArchive {
  readonly #program: ArchivedProgram;
  readonly #file: string;
  /** The file that the process started last writes, if it writes one. */
  #written: string | undefined;

  constructor(program: ArchivedProgram) {
    this.#program = program;
    const key = createHash("sha256")
      .update([...program.classPath, virtualMachine()].join("\n"))
      .digest("hex");
    this.#file = join(cacheFolder(), "class-archives", `${program.name}-${key.slice(0, 8)}.jsa`);
  }

  /**
   * Returns the flags of the next start, to use the archive, or to write one. A virtual machine that the archive does
   * not fit runs without it.
   */
  jvmArgs(): string[] {
    const there = existsSync(this.#file);
    this.#written = there ? undefined : join(this.#program.folder, `classes-${randomBytes(4).toString("hex")}.jsa`);
    const use = there ? `-XX:SharedArchiveFile=${this.#file}` : `-XX:ArchiveClassesAtExit=${this.#written}`;
    return [use, ...QUIET];
  }

  /** Whether the process that was started last has to end in order, so that it writes the classes it loaded. */
  get isWriting(): boolean {
    return this.#written !== undefined && !existsSync(this.#file);
  }

  /** To be called when that process has ended. */
  keep(): void {
    if (this.#written === undefined || !existsSync(this.#written)) return;
    if (!readFileSync(this.#written).includes(this.#program.wanted)) return;
    mkdirSync(dirname(this.#file), { recursive: true });
    const copy = `${this.#file}.${randomBytes(4).toString("hex")}.tmp`;
    copyFileSync(this.#written, copy);
    renameSync(copy, this.#file);
  }
}

/** Without these flags the virtual machine prints every class that it leaves out. */
const QUIET = ["-Xlog:cds=off", "-Xlog:cds+dynamic=off"];

/** The `java` that starts a server: another one would leave the archive unused. */
function virtualMachine(): string {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const program = join(folder, "java");
    if (!existsSync(program)) continue;
    const file = realpathSync(program);
    return `${file} ${statSync(file).mtimeMs}`;
  }
  return "";
}
