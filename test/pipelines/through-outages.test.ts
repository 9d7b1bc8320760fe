// SPDX-License-Identifier: Apache-2.0
import { StoreUnavailableError } from "../../io/ports";
import { throughOutages } from "../../pipelines/archiver/through-outages";

test("an outage is waited for and told of; the work goes on until it is stopped", async () => {
  const stop = new AbortController();
  const outages: string[] = [];
  let runs = 0;
  const work = async () => {
    runs++;
    if (runs < 3) throw new StoreUnavailableError(`broker ${runs}`);
    stop.abort();
  };
  await throughOutages(work, { stop: stop.signal, pauseMs: 1, onOutage: ({ message }) => outages.push(message) });
  expect([runs, outages]).toEqual([3, ["broker 1", "broker 2"]]);
});

test("what is no outage ends it", async () => {
  const stop = new AbortController();
  const onOutage = vi.fn();
  const work = () => Promise.reject(new TypeError("a bug"));
  await expect(throughOutages(work, { stop: stop.signal, pauseMs: 1, onOutage })).rejects.toThrow("a bug");
  expect(onOutage).not.toHaveBeenCalled();
});

test("a stop during an outage ends the pause", async () => {
  const stop = new AbortController();
  const work = () => Promise.reject(new StoreUnavailableError("gone"));
  await throughOutages(work, { stop: stop.signal, pauseMs: 3_600_000, onOutage: () => stop.abort() });
});
