// SPDX-License-Identifier: Apache-2.0
/**
 * Reads a Dockerfile with a real parser into the subset that ours uses. Everything outside of the subset is refused,
 * never skipped.
 */
import { DockerfileParser, type From, type Instruction, type ModifiableInstruction } from "dockerfile-ast";

export interface HealthCheck {
  readonly options: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/** Texts as they stand: variables are resolved when the stage is built. */
export type Step =
  | { readonly kind: "ARG"; readonly name: string; readonly value: string | undefined }
  | { readonly kind: "ENV" | "LABEL"; readonly entries: Readonly<Record<string, string>> }
  | { readonly kind: "WORKDIR" | "USER" | "EXPOSE"; readonly value: string }
  | {
      readonly kind: "COPY";
      readonly from: string | undefined;
      readonly owner: string | undefined;
      readonly sources: readonly string[];
      readonly destination: string;
    }
  | { readonly kind: "RUN" | "ENTRYPOINT" | "CMD"; readonly command: readonly string[] }
  | ({ readonly kind: "HEALTHCHECK" } & HealthCheck);

export interface Stage {
  readonly name: string;
  /** An earlier stage, or an image; as it stands. */
  readonly base: string;
  readonly steps: readonly Step[];
}

export interface DockerfilePlan {
  /** ARGs before the first FROM, with their defaults. */
  readonly globals: Readonly<Record<string, string>>;
  readonly stages: readonly Stage[];
}

export class DockerfileError extends Error {
  override readonly name = "DockerfileError";
}

export function readDockerfile(text: string): DockerfilePlan {
  const globals: Record<string, string> = {};
  const stages: { name: string; base: string; steps: Step[] }[] = [];
  const dockerfile = DockerfileParser.parse(text);
  if (dockerfile.getDirectives().length > 0) throw new DockerfileError("parser directives are not known here");
  for (const instruction of dockerfile.getInstructions()) {
    if (instruction.getKeyword() === "FROM") {
      const from = instruction as From;
      const name = from.getBuildStage();
      refuse(from.getFlags().length > 0 || name === null, instruction, "a stage without a name, or with flags");
      stages.push({ name: name!, base: from.getImage() ?? "", steps: [] });
      continue;
    }
    const step = readStep(instruction);
    const stage = stages.at(-1);
    if (stage !== undefined) stage.steps.push(step);
    else if (step.kind === "ARG" && step.value !== undefined) globals[step.name] = step.value;
    else refuse(true, instruction, "not an ARG with a default, before the first FROM");
  }
  return { globals, stages };
}

function readStep(instruction: Instruction): Step {
  const kind = instruction.getKeyword();
  const content = instruction.getArgumentsContent() ?? "";
  switch (kind) {
    case "ARG": {
      const [, name = "", value] = /^(\w+)(?:=(.*))?$/s.exec(content) ?? [];
      refuse(name === "", instruction, "one ARG a line");
      return { kind, name, value };
    }
    case "ENV":
    case "LABEL":
      return { kind, entries: readEntries(instruction) };
    case "WORKDIR":
    case "USER":
    case "EXPOSE":
      return { kind, value: content };
    case "COPY":
      return readCopy(instruction as ModifiableInstruction);
    case "RUN":
    case "ENTRYPOINT":
    case "CMD":
      return { kind, command: execForm(instruction, content) };
    case "HEALTHCHECK":
      return readHealthCheck(instruction as ModifiableInstruction, content);
    default:
      throw new DockerfileError(`${kind} is not known here: ${instruction.toString()}`);
  }
}

function readEntries(instruction: Instruction): Record<string, string> {
  const { getProperties } = instruction as Instruction & {
    getProperties?: () => { getName(): string; getValue(): string | null; getAssignmentOperator(): string | null }[];
  };
  const entries = getProperties?.call(instruction) ?? [];
  refuse(
    entries.some((each) => each.getAssignmentOperator() !== "="),
    instruction,
    "name=value is wanted",
  );
  return Object.fromEntries(entries.map((each) => [each.getName(), each.getValue() ?? ""]));
}

function readCopy(instruction: ModifiableInstruction): Step {
  const flags = new Map(instruction.getFlags().map((flag) => [flag.getName(), flag.getValue() ?? ""]));
  const [from, owner] = [flags.get("from"), flags.get("chown")];
  flags.delete("from");
  flags.delete("chown");
  refuse(flags.size > 0, instruction, `COPY with ${[...flags.keys()].join()}`);
  const paths = instruction.getArguments().map((each) => each.getValue());
  const destination = paths.pop();
  refuse(destination === undefined || paths.length === 0, instruction, "COPY of nothing");
  refuse(
    paths.some((path) => /[*?[\]<]/.test(path)),
    instruction,
    "patterns and heredocs",
  );
  return { kind: "COPY", from, owner, sources: paths, destination: destination! };
}

function readHealthCheck(instruction: ModifiableInstruction, content: string): Step {
  const options = Object.fromEntries(instruction.getFlags().map((flag) => [flag.getName(), flag.getValue() ?? ""]));
  const [, command = ""] = /(?:^|\s)CMD\s+(.*)$/s.exec(content) ?? [];
  return { kind: "HEALTHCHECK", options, command: execForm(instruction, command) };
}

/** An image without a shell has only this form, and what it means does not depend on one. */
function execForm(instruction: Instruction, content: string): string[] {
  let command: unknown;
  try {
    command = JSON.parse(content);
  } catch {
    command = undefined;
  }
  const isForm = Array.isArray(command) && command.length > 0 && command.every((part) => typeof part === "string");
  refuse(!isForm, instruction, "the exec form is wanted");
  return command as string[];
}

function refuse(condition: boolean, instruction: Instruction, what: string): void {
  if (condition) throw new DockerfileError(`${what}: ${instruction.toString()}`);
}
