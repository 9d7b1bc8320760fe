// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { BUCKET_UNITS, type BucketUnit, calendarOf, UTC } from "../../domain/calendar";

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/St_Johns",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "Pacific/Chatham",
  "America/Sao_Paulo",
  "Asia/Beirut",
];

const wallMs = ({ date, time }: { date: string; time: string }): number => Date.parse(`${date}T${time}Z`);

/** Returns the reading of a clock in the zone. */
function wallClock(zone: string): (timeMs: number) => { date: string; weekday: string; time: string } {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  return (timeMs) => {
    const parts = Object.fromEntries(format.formatToParts(timeMs).map(({ type, value }) => [type, value]));
    const { year, month, day, weekday, hour, minute } = parts as Record<string, string>;
    return { date: `${year}-${month}-${day}`, weekday: weekday!, time: `${hour}:${minute}` };
  };
}

const iso = (timeMs: number) => new Date(timeMs).toISOString();
const take = (zone: string, unit: BucketUnit, from: string, count: number): number[] => {
  const starts = calendarOf(zone)!.starts(unit, Date.parse(from));
  return Array.from({ length: count }, () => starts.next().value);
};
const hoursOf = (starts: readonly number[]) => starts.slice(1).map((startMs, at) => (startMs - starts[at]!) / HOUR);

describe("calendar", () => {
  it("a day in Berlin has 23 hours when clocks go forward, and 25 when they go back", () => {
    expect(hoursOf(take("Europe/Berlin", "day", "2026-03-28T12:00:00Z", 4))).toEqual([24, 23, 24]);
    expect(hoursOf(take("Europe/Berlin", "day", "2026-10-24T12:00:00Z", 4))).toEqual([24, 25, 24]);
    expect(take("Europe/Berlin", "day", "2026-11-20T23:30:00Z", 1).map(iso)).toEqual(["2026-11-20T23:00:00.000Z"]);
  });

  it("zones at a half and a quarter of an hour", () => {
    expect(take("Asia/Kolkata", "day", "2026-11-20T20:00:00Z", 2).map(iso)).toEqual([
      "2026-11-20T18:30:00.000Z",
      "2026-11-21T18:30:00.000Z",
    ]);
    expect(take("Asia/Kathmandu", "month", "2026-11-20T20:00:00Z", 2).map(iso)).toEqual([
      "2026-10-31T18:15:00.000Z",
      "2026-11-30T18:15:00.000Z",
    ]);
    expect(hoursOf(take("Australia/Lord_Howe", "day", "2026-04-03T20:00:00Z", 4))).toContain(24.5);
  });

  it("a midnight that the clock skips begins with the change; a date that a zone skipped has no bucket", () => {
    expect(take("America/Sao_Paulo", "day", "2018-11-04T12:00:00Z", 1).map(iso)).toEqual(["2018-11-04T03:00:00.000Z"]);
    expect(take("Pacific/Apia", "day", "2011-12-29T20:00:00Z", 3).map(iso)).toEqual([
      "2011-12-29T10:00:00.000Z",
      "2011-12-30T10:00:00.000Z",
      "2011-12-31T10:00:00.000Z",
    ]);
  });

  it("clocks that go back over midnight stay in the day that has begun", () => {
    // St. John's, 2006-10-29: 00:01 became 23:01 of the day before.
    const [first, second] = take("America/St_Johns", "day", "2006-10-29T03:00:00Z", 2);
    expect([iso(first!), (second! - first!) / HOUR]).toEqual(["2006-10-29T02:30:00.000Z", 25]);
    expect(calendarOf("America/St_Johns")!.floor("day", Date.parse("2006-10-29T03:00:00Z"))).toBe(first);
  });

  it("an offset that is no whole minute is cut to one", () => {
    expect(take("Africa/Monrovia", "day", "1971-05-05T12:00:00Z", 1).map(iso)).toEqual(["1971-05-05T00:44:00.000Z"]);
  });

  it("only names of the database are zones", () => {
    for (const name of [
      "",
      "Europe/Berlyn",
      "xutc",
      "utcx",
      "+02:00",
      "-0500",
      "Europe/Berlin ",
      "../etc",
      "x".repeat(100),
    ])
      expect(calendarOf(name)).toBeUndefined();
    expect(calendarOf("utc")).toBe(UTC);
  });

  it("a zone is known by its name in any capitals, however many names are asked for", () => {
    // The clock chooses the capitals, so that no run before has asked for the same names.
    let bits = Math.floor(performance.now() * 1_000);
    const capitals = (name: string) =>
      [...name]
        .map((letter) => {
          bits = (Math.imul(bits, 1_103_515_245) + 12_345) >>> 0;
          return bits & 0x10000 ? letter.toUpperCase() : letter.toLowerCase();
        })
        .join("");
    const [berlin, johns] = [Date.parse("2026-03-29T00:30:00Z"), Date.parse("2006-10-29T03:00:00Z")];
    for (let n = 0; n < 650; n++) {
      const name = capitals("Europe/Berlin");
      expect([name, calendarOf(name)?.floor("day", berlin)]).toEqual([name, Date.parse("2026-03-28T23:00:00Z")]);
    }
    const zone = calendarOf(capitals("America/St_Johns"))!;
    expect(iso(zone.floor("day", johns))).toBe("2006-10-29T02:30:00.000Z");
    expect(calendarOf(capitals("Europe/Berlyn"))).toBeUndefined();
  });

  it("in any zone buckets begin where a clock on the wall says, and follow each other without a gap", () => {
    const time = fc.integer({ min: Date.parse("2000-01-01T00:00:00Z"), max: Date.parse("2036-01-01T00:00:00Z") });
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), fc.constantFrom(...BUCKET_UNITS), time, (zone, unit, timeMs) => {
        const calendar = calendarOf(zone)!;
        const starts = calendar.starts(unit, timeMs);
        const [first, second] = [starts.next().value, starts.next().value];
        expect(first).toBeLessThanOrEqual(timeMs);
        expect(second).toBeGreaterThan(timeMs);
        for (const inside of [first, second - 1]) expect(calendar.floor(unit, inside)).toBe(first);
        expect(calendar.before(unit, second, 1)).toBe(first);
        if (unit === "minute" || unit === "hour") {
          const unitMs = unit === "minute" ? MINUTE : HOUR;
          expect([first % unitMs, second - first]).toEqual([0, unitMs]);
          return;
        }
        const clock = wallClock(zone);
        const at = clock(first);
        const justBefore = clock(first - MINUTE);
        expect(at.date).not.toBe(justBefore.date);
        // A day begins at midnight, or with the change that put the clock over midnight.
        if (wallMs(at) - wallMs(justBefore) === MINUTE) expect(at.time).toBe("00:00");
        else expect(wallMs(at) - wallMs(justBefore)).toBeGreaterThan(MINUTE);
        if (unit === "week") expect(at.weekday).toBe("Mon");
        if (unit === "month") expect(at.date.slice(-2)).toBe("01");
        const days = Math.round((second - first) / DAY);
        if (unit === "day") expect(days).toBe(1);
        if (unit === "week") expect(days).toBe(7);
        if (unit === "month") expect(clock(second).date.slice(0, 7)).not.toBe(at.date.slice(0, 7));
      }),
      { numRuns: 1500, examples: [["Asia/Beirut", "day", Date.parse("2003-03-29T22:00:00Z")]] },
    );
  });
});
