// SPDX-License-Identifier: Apache-2.0
/** Several outputs of one DoFn, for an application's transforms that separate good from bad elements. */
import { type PCollection, type PTransform, split, withName } from "./beam";

/**
 * One element of a DoFn with several outputs: an object with one field, named by the output's tag: `yield { late: event
 * }`.
 */
export type Tagged<Outputs extends object> = {
  [Tag in keyof Outputs]: { readonly [Only in Tag]: Outputs[Tag] };
}[keyof Outputs];

/**
 * Returns the outputs of a DoFn that yields Tagged elements, one collection a tag, on the direct runner and in workers.
 * An element with another tag, or with two, fails the bundle. `tags` names every output (`{ main: true, late: true }`),
 * so that the compiler finds a missing one.
 */
export function splitByTag<Outputs extends Record<string, unknown>>(
  name: string,
  input: PCollection<Tagged<Outputs>>,
  tags: { readonly [Tag in keyof Outputs]: true },
): { [Tag in keyof Outputs]: PCollection<Outputs[Tag]> } {
  const names = Object.keys(tags);
  const transform = split(names, { exclusive: true, knownTags: names, unknownTagBehavior: "error" });
  return input.apply(withName(name, transform as SplitTransform<Outputs>));
}

/** The SDK types split's input as the product of the outputs, though split requires exactly one field. */
type SplitTransform<Outputs extends Record<string, unknown>> = PTransform<
  PCollection<Tagged<Outputs>>,
  { [Tag in keyof Outputs]: PCollection<Outputs[Tag]> }
>;
