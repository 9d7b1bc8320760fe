// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";

/**
 * Put before an id that begins with a dash while commander looks for options. No argument of a process can contain this
 * character.
 */
const MARK = "\0";

/**
 * Adds an argument that is an id, such as -abc. A text with one leading dash that is no option of the command is the
 * id, not several one-letter options. An id with two leading dashes needs `--` before it, as everywhere. Commands that
 * take the id of a video or of a dead letter use it.
 */
export function idArgument(command: Command, name: string, description: string): Command {
  const parseOptions = command.parseOptions.bind(command);
  command.parseOptions = (args) => parseOptions(marked(command, args));
  return command.argument(name, description, (text: string) => text.replace(MARK, ""));
}

function marked(command: Command, args: readonly string[]): string[] {
  const options = [...command.options, command.createHelp().visibleOptions(command)].flat();
  const known = (text: string) => options.find(({ short, long }) => text === short || text === long);
  let [wantsValue, over] = [false, false];
  return args.map((arg) => {
    const isValue = wantsValue;
    wantsValue = false;
    if (arg === "--") over = true;
    if (isValue || over) return arg;
    const option = known(arg);
    if (option !== undefined) {
      wantsValue = option.required;
      return arg;
    }
    return /^-[^-]/.test(arg) ? MARK + arg : arg;
  });
}
