// SPDX-License-Identifier: Apache-2.0
import * as fc from "fast-check";
import { LogClock } from "../../../io/flow/log-clock";

it("is never ahead of the log's clock, whatever messages took to come, and behind it by the quickest one's way", () => {
  const message = fc.record({ pauseMs: fc.nat(10_000), tookMs: fc.nat(5_000) });
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 50 }), fc.integer(), (messages, startedAtMs) => {
      let monotonicMs = 0;
      const clock = new LogClock(() => monotonicMs);
      expect(clock.reachedMs()).toBeUndefined();
      // The log's clock: where it started, and as fast as the monotonic one.
      const logMs = () => startedAtMs + monotonicMs;
      for (const { pauseMs, tookMs } of messages) {
        monotonicMs += pauseMs;
        const appendedAtMs = logMs();
        monotonicMs += tookMs;
        clock.saw(appendedAtMs);
        expect(clock.reachedMs()).toBeLessThanOrEqual(logMs());
      }
      monotonicMs += 3_600_000;
      expect(logMs() - clock.reachedMs()!).toBe(Math.min(...messages.map(({ tookMs }) => tookMs)));
    }),
  );
});
