// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from "preact";

/**
 * A part that may be larger than its place. The keyboard must be able to scroll it, because its end is out of sight
 * otherwise. Wide tables and charts are put into it.
 */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls takes the focus (WCAG 2.1.1)
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
