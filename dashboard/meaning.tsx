// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren, JSX } from "preact";

/**
 * An entry of a legend, without a line break between the mark and its meaning. Pages explain their charts and books
 * with it.
 */
export function Meaning({ of: mark, children }: { of: JSX.Element; children: ComponentChildren }) {
  return (
    <span class="meaning">
      {mark} {children}
    </span>
  );
}
