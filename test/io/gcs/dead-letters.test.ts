// SPDX-License-Identifier: Apache-2.0
import { type Schema, Type } from "avsc";
import fc from "fast-check";
import { AvroError } from "../../../io/formats/avro/binary";
import { ContainerWriter } from "../../../io/formats/avro/container";
import { decodeDeadLetters, encodeDeadLetters } from "../../../io/formats/avro/dead-letter-object";
import { fingerprint, shippedSchema } from "../../../io/formats/avro/schema-registry";
import { GcsDeadLetters, type GcsDeadLettersOptions } from "../../../io/gcs/dead-letters";
import { GcsObjects } from "../../../io/gcs/objects";
import type { NewDeadLetter } from "../../../io/ports";
import { describeWithServers } from "../../servers/with-servers";
import { deadLettersContract, letter } from "../ports/dead-letters-contract";
import { withGcs } from "./with-gcs";

describeWithServers("dead letters in Cloud Storage", ["gcs"], () => {
  const gcs = withGcs();
  let place: ReturnType<typeof gcs.place>;
  const open = (rest: Partial<GcsDeadLettersOptions> = {}) => new GcsDeadLetters({ ...place, maxAttempts: 2, ...rest });
  const objectNames = async () => {
    const objects = new GcsObjects(place);
    const names: string[] = [];
    for await (const page of objects.list({ below: "" })) names.push(...page.objects.map(({ name }) => name));
    objects.close();
    return names;
  };
  beforeEach(() => {
    place = gcs.place();
  });

  deadLettersContract("GcsDeadLetters", { open: async () => open(), bounded: false });

  it("puts letters that arrive together into one object a minute, whose name counts them", async () => {
    const letters = open();
    const arriving = Array.from({ length: 50 }, (_, n) =>
      letters.append([letter(`${n}`, { receivedAtMs: n % 2 ? 60_000 : 120_000 })]),
    );
    await Promise.all(arriving);
    const names = await objectNames();
    expect(names).toHaveLength(2);
    expect(names[0]).toMatch(/^date=1970-01-01\/hour=00\/minute=01\/[0-9a-f]{12}-\d{9}-25\.avro$/);
    await letters.close();
  });

  it("pages through the letters of several writers, missing and repeating none", async () => {
    const writers = [open(), open(), open()];
    for (let n = 0; n < 12; n++) {
      const ofMinute = (part: string) => letter(`${n} ${part}`, { receivedAtMs: (n % 4) * 60_000 });
      await writers[n % 3]!.append([ofMinute("a"), ofMinute("b"), ofMinute("c")]);
    }
    const all = await writers[0]!.list({ limit: 1000 });
    expect(all).toHaveLength(36);
    expect(all.map((one) => one.receivedAtMs)).toEqual(all.map((one) => one.receivedAtMs).sort((a, b) => a - b));
    for (const limit of [1, 2, 5, 35]) {
      const paged: string[] = [];
      for (let afterId: string | undefined; ; afterId = paged.at(-1)) {
        const page = await writers[1]!.list({ limit, ...(afterId === undefined ? {} : { afterId }) });
        paged.push(...page.map(({ id }) => id));
        if (page.length < limit) break;
      }
      expect(paged).toEqual(all.map(({ id }) => id));
    }
    expect(all.every(({ id }) => /^[!-~]{1,200}$/.test(id))).toBe(true);
    await Promise.all(writers.map((writer) => writer.close()));
  });

  it("keeps the latest replay, whoever marks it and in whatever order", async () => {
    const [service, commandLine] = [open(), open()];
    await service.append([letter("one"), letter("two")]);
    const [first, second] = await service.list({ limit: 2 });
    await commandLine.markReplayed([first!.id], 1000);
    await service.markReplayed([first!.id, "an id of another store"], 999);
    expect(await commandLine.list({ limit: 9, replayed: true })).toEqual([{ ...first, replayedAtMs: 1000 }]);
    expect(await commandLine.list({ limit: 9, replayed: false })).toEqual([second]);
    expect(await commandLine.get("an id of another store")).toBeUndefined();
    await Promise.all([service.close(), commandLine.close()]);
  });

  it("publishes what it stored, and fails when that fails", async () => {
    const published: NewDeadLetter[] = [];
    const letters = open({
      publish: async (one) => {
        if (Buffer.from(one.payload).toString() === "refused") throw new Error("the topic is away");
        published.push(one);
      },
    });
    await letters.append([letter("taken")]);
    expect(published).toEqual([letter("taken")]);
    await expect(letters.append([letter("refused")])).rejects.toThrow("the topic is away");
    expect(await letters.list({ limit: 9 })).toHaveLength(2);
    await letters.close();
  });

  it("refuses a letter without a possible time, and none of the others with it", async () => {
    const letters = open();
    const calls = [letters.append([letter("good")]), letters.append([letter("bad", { receivedAtMs: 1e17 })])];
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(await letters.list({ limit: 9 })).toHaveLength(1);
    await letters.close();
  });
});

describe("an object of dead letters", () => {
  it("gives back the letters put in, and finds every cut and flipped bit", () => {
    const some = fc.record({
      receivedAtMs: fc.integer(),
      reason: fc.constant("bad-value" as const),
      detail: fc.string({ unit: "grapheme" }),
      payload: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      contentType: fc.constant("application/json"),
      source: fc.constantFrom("ingest" as const, "pipeline" as const),
    });
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 20 }), fc.nat(), (letters, seed) => {
        const file = encodeDeadLetters("a", letters);
        expect(decodeDeadLetters(file)).toEqual(letters);
        const at = seed % file.length;
        if (at > 0) expect(() => decodeDeadLetters(file.subarray(0, at)).length === letters.length || fail()).toThrow();
        const flipped = Buffer.from(file);
        flipped[at]! ^= 1 << (seed % 8);
        let survived: unknown;
        try {
          survived = decodeDeadLetters(flipped);
        } catch (error) {
          expect(error).toBeInstanceOf(AvroError);
        }
        if (survived !== undefined) expect(survived).toEqual(letters);
      }),
    );
  });

  it("of an older or newer schema is read by name: fields it lacks have their defaults, others are passed over", () => {
    const fields = (shippedSchema("dead-letter-v1") as { fields: { name: string }[] }).fields;
    const other = {
      type: "record",
      name: "DeadLetter",
      namespace: "viewmill.v1",
      fields: [{ name: "host", type: "string" }, ...fields.filter(({ name }) => name !== "eventId")],
    };
    const text = JSON.stringify(other);
    const file = new ContainerWriter("a", { text, crc: fingerprint(text).toString("hex") });
    const { receivedAtMs, payload, ...rest } = letter("kept");
    const row = { ...rest, payload: Buffer.from(payload), host: "h", receivedAt: receivedAtMs };
    file.addBlock(2, Buffer.concat(Array(2).fill(Type.forSchema(other as Schema).toBuffer(row))));
    expect(decodeDeadLetters(file.finish())).toEqual([letter("kept"), letter("kept")]);
  });

  it("splits what is large into blocks", () => {
    const letters = Array.from({ length: 5 }, (_, n) => letter("x".repeat(700_000 + n)));
    const decoded = decodeDeadLetters(encodeDeadLetters("a", letters));
    expect(decoded.map(({ payload }, n) => Buffer.compare(payload, letters[n]!.payload))).toEqual([0, 0, 0, 0, 0]);
  });
});

function fail(): never {
  throw new Error("a cut file was read as if it were whole");
}
