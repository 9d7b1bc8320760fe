// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from "preact";

/** What may be larger than its place. Whoever has no mouse must be able to reach it, or its end is out of sight. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls takes the focus (WCAG 2.1.1)
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
