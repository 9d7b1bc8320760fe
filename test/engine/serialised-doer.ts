// SPDX-License-Identifier: Apache-2.0
/** A class whose source text must reach Beam's serialiser as tsc wrote it. */
export class Doer {
  *process(element: number): Generator<number> {
    const twice = (value: number) => value * 2;
    yield twice(element);
  }
}
