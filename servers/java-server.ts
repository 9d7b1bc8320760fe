// SPDX-License-Identifier: Apache-2.0
/**
 * A server of Java: a process whose virtual machine starts from an archive of its classes, once there is one. Kafka,
 * Flink and Beam's servers are such processes.
 */
import { ClassArchive } from "./class-archive";
import { type JavaProgram, javaArgs } from "./java";
import { ServerProcess } from "./server-process";

interface JavaServer extends Omit<JavaProgram, "args"> {
  name: string;
  /** A function is asked at each start. */
  args: readonly string[] | (() => Promise<readonly string[]>);
  /** As `ArchivedProgram` says; absent: no archive is kept. */
  archive?: { name: string; wanted: string };
  answers(): Promise<boolean>;
}

export function javaServer({ name, args, archive, answers, ...program }: JavaServer): ServerProcess {
  const { classPath, folder, jvmArgs = [] } = program;
  const classes = archive === undefined ? undefined : new ClassArchive({ ...archive, classPath, folder });
  return new ServerProcess({
    name,
    command: "java",
    args: async () => {
      const asked = typeof args === "function" ? await args() : args;
      return javaArgs({ ...program, args: asked, jvmArgs: [...jvmArgs, ...(classes?.jvmArgs() ?? [])] });
    },
    folder,
    answers,
    ...(classes === undefined ? {} : { classes }),
  });
}
