// SPDX-License-Identifier: Apache-2.0
/** The contract of every store of event types. */
import type { EventTypes } from "../../../io/ports";

export function eventTypesContract(name: string, { open }: { open: () => Promise<EventTypes> }): void {
  describe(`${name} as EventTypes`, () => {
    it("admits in the order asked up to the bound, and keeps what it admitted", async () => {
      const types = await open();
      expect(await types.admit([], 3)).toEqual(new Set());
      expect(await types.admit(["VIEW", "LIKE", "VIEW"], 3)).toEqual(new Set(["VIEW", "LIKE"]));
      expect(await types.admit(["LIKE", "A", "B"], 3)).toEqual(new Set(["VIEW", "LIKE", "A"]));
      expect(await types.admit(["C", "VIEW"], 3)).toEqual(new Set(["VIEW", "LIKE", "A"]));
      await types.close();
      const again = await open();
      expect(await again.admit(["D"], 3)).toEqual(new Set(["VIEW", "LIKE", "A"]));
      expect(await again.admit(["D"], 4)).toEqual(new Set(["VIEW", "LIKE", "A", "D"]));
      expect(await again.admit(["E", "VIEW"], 2)).toEqual(new Set(["VIEW", "LIKE", "A", "D"]));
      await again.close();
    });

    it("never admits more than the bound, however many ask at once", async () => {
      const stores = await Promise.all(Array.from({ length: 4 }, () => open()));
      const asked = stores.flatMap((store, instance) =>
        Array.from({ length: 8 }, (_, n) => store.admit([`T${n}`, `OF_${instance}_${n}`], 10)),
      );
      const answers = await Promise.all(asked);
      const whole = await stores[0]!.admit([], 10);
      expect(whole.size).toBe(10);
      for (const answer of answers) for (const type of answer) expect(whole.has(type)).toBe(true);
      await Promise.all(stores.map((store) => store.close()));
    });
  });
}
