// SPDX-License-Identifier: Apache-2.0
/** The losses that the books of a minute show, and those that they cannot show. */
import fc from "fast-check";
import { acceptedOf } from "../../../domain/rules/books";

/**
 * The events of a minute that one service accepted, the part that it booked, and the part whose messages were archived.
 */
interface Service {
  accepted: number;
  booked: number;
  archived: number;
}

/** Returns the number of events of these services that the books miss. */
function foundMissing(services: readonly Service[]): number {
  const sum = (of: (service: Service) => number) => services.reduce((total, service) => total + of(service), 0);
  const archived = sum((service) => service.archived);
  const accepted = acceptedOf({ promised: sum(({ booked }) => booked), declared: archived, direct: 0, backfilled: 0 });
  return accepted - archived;
}

const servicesOf = (crashes: boolean) =>
  fc.array(
    fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20)).map(([accepted, booked, archived]): Service => {
      const ofThem = (share: number) => Math.min(share, accepted);
      return { accepted, booked: crashes ? ofThem(booked) : accepted, archived: ofThem(archived) };
    }),
    { minLength: 1, maxLength: 4 },
  );

it("every event that is lost before it is archived is found, where each service has booked all that it accepted", () => {
  fc.assert(
    fc.property(servicesOf(false), (services) => {
      const lost = services.reduce((sum, { accepted, archived }) => sum + accepted - archived, 0);
      expect(foundMissing(services)).toBe(lost);
    }),
  );
});

it("events that a killed service accepted and did not book hide as many lost ones of the minute, and no more", () => {
  fc.assert(
    fc.property(servicesOf(true), (services) => {
      const lost = services.reduce((sum, { accepted, archived }) => sum + accepted - archived, 0);
      const unbooked = services.reduce((sum, { accepted, booked }) => sum + accepted - booked, 0);
      expect(foundMissing(services)).toBe(Math.max(0, lost - unbooked));
    }),
  );
  const killed = { accepted: 5, booked: 3, archived: 5 };
  expect(foundMissing([killed, { accepted: 4, booked: 4, archived: 2 }])).toBe(0);
  expect(foundMissing([killed, { accepted: 4, booked: 4, archived: 1 }])).toBe(1);
});
