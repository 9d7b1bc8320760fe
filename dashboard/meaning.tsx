// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren, JSX } from "preact";

/** An entry of a legend: a line break never comes between the mark and what the mark means. */
export function Meaning({ of: mark, children }: { of: JSX.Element; children: ComponentChildren }) {
  return (
    <span class="meaning">
      {mark} {children}
    </span>
  );
}
