// SPDX-License-Identifier: Apache-2.0
/** A promise that its owner resolves. */
export class Later<T> {
  resolve!: (value: T) => void;
  readonly promise = new Promise<T>((resolve) => {
    this.resolve = resolve;
  });
}
