// SPDX-License-Identifier: Apache-2.0
/** A log that is away when the service starts. The log is the embedded adapter. */
import { LaterLog } from "../../../io/cluster/later-log";
import { type EventLog, StoreUnavailableError } from "../../../io/ports";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { numberOf, spillBatch } from "./spill-batch";

afterEach(removeFolders);

function door() {
  let opened = 0;
  let real: SqliteEventLog | undefined;
  const at = { isOpen: false, opened: () => opened, real: () => real! };
  const open = async (): Promise<EventLog> => {
    if (!at.isOpen) throw new StoreUnavailableError("the log is away");
    opened++;
    real = await SqliteEventLog.open({ folder: temporaryFolder() });
    return real;
  };
  return { ...{ at, open } };
}

it("opens the log once, at the first call for which it answers", async () => {
  const { at, open } = door();
  const told: unknown[] = [];
  const log = await LaterLog.open(open, (error) => told.push(error));
  expect(told).toEqual([expect.any(StoreUnavailableError)]);
  for (const call of [() => log.append(spillBatch(0)), () => log.ping()])
    await expect(call()).rejects.toThrow(StoreUnavailableError);
  at.isOpen = true;
  await Promise.all([1, 2, 3].map((n) => log.append(spillBatch(n))));
  await log.ping();
  expect(at.opened()).toBe(1);
  const entries = await at.real().read(0, 10, 1 << 20);
  expect(entries.map(({ payload }) => numberOf(payload))).toEqual([1, 2, 3]);
  await log.close();
  await expect(log.append(spillBatch(4))).rejects.toThrow(StoreUnavailableError);
  await expect(at.real().ping()).rejects.toThrow();
});

it("is the log itself where that answers at once, and throws what is no outage", async () => {
  const { at, open } = door();
  at.isOpen = true;
  const log = await LaterLog.open(open, () => expect.unreachable());
  expect(log).toBe(at.real());
  await log.close();
  const broken = async () => {
    throw new TypeError("no log at all");
  };
  await expect(LaterLog.open(broken, () => expect.unreachable())).rejects.toThrow(TypeError);
});

it("closes while the log is still away", async () => {
  const { open } = door();
  const log = await LaterLog.open(open, () => undefined);
  await log.close();
  await expect(log.ping()).rejects.toThrow(StoreUnavailableError);
});
