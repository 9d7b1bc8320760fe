// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { ClaimCheckLog, type ClaimCheckOptions } from "../../../io/claim-check/claim-check-log";
import { DirectoryClaimStore } from "../../../io/directory/claims";
import { BatchFormatError, decodeBatch } from "../../../io/formats/avro/batch";
import { decodeReference, encodeReference, isReference } from "../../../io/formats/avro/reference";
import { schemas } from "../../../io/formats/avro/schemas";
import { resolveReference } from "../../../io/formats/claim-check/resolve-reference";
import { GcsClaimStore } from "../../../io/gcs/claims";
import { type LogBatch, StoreUnavailableError } from "../../../io/ports";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { event, message } from "../../transforms/elements";
import { claimName } from "../ports/claim-store-contract";
import { removeFolders, temporaryFolder } from "../ports/condition";

const RECEIVED_MS = Date.parse("2026-11-21T10:03:59Z");
let folder = "";
let log: SqliteEventLog;
let claims: DirectoryClaimStore;

beforeEach(async () => {
  folder = temporaryFolder();
  log = await SqliteEventLog.open({ folder });
  claims = new DirectoryClaimStore({ folder: join(folder, "claims") });
});
afterEach(async () => {
  await log.close();
  removeFolders();
});

const open = (rest: Partial<ClaimCheckOptions> = {}) =>
  new ClaimCheckLog({ log, claims, maxMessageBytes: 1000, now: () => RECEIVED_MS, ...rest });
const batchOf = (events: number): LogBatch => ({
  payload: message(Array.from({ length: events }, (_, n) => event(`e-${n}`))).payload,
  events,
  acceptedByMinute: new Map([[7, events]]),
});
const logged = async () => (await log.read(0, 100, 1 << 30)).map(({ payload }) => payload);

describe("ClaimCheckLog", () => {
  it("puts a small batch into the log as it is, and a large one's reference, in order, in the same books", async () => {
    const checked = open();
    const [small, large] = [batchOf(3), batchOf(300)];
    await checked.append(small);
    await checked.append(large);
    const [first, second] = await logged();
    expect(Buffer.compare(first!, small.payload)).toBe(0);
    expect(isReference(second!)).toBe(true);
    expect(decodeReference(second!)).toMatchObject({ sizeBytes: large.payload.byteLength, events: 300 });
    expect(decodeReference(second!).name).toMatch(/^date=2026-11-21\/hour=10\/minute=03\/[0-9a-f-]{36}\.avro$/);
    expect(await resolveReference(second!, claims)).toEqual({ kind: "payload", payload: Buffer.from(large.payload) });
    expect(await log.accepted(0, 10)).toEqual(new Map([[7, 303]]));
  });

  it("sends every batch to the claims while the log is behind, asking no more than once a sample", async () => {
    let [behind, asked, nowMs] = [true, 0, RECEIVED_MS];
    const isBehind = async () => {
      asked++;
      return behind;
    };
    const checked = open({ isBehind, behindSampleMs: 1000, now: () => nowMs });
    for (let n = 0; n < 5; n++) await checked.append(batchOf(1));
    expect(asked).toBe(1);
    behind = false;
    nowMs += 1000;
    await checked.append(batchOf(1));
    await checked.append(batchOf(1));
    expect(asked).toBe(2);
    expect((await logged()).map(isReference)).toEqual([false, true, true, true, true, true, false]);
  });

  it("is not behind when that cannot be found out", async () => {
    const checked = open({ isBehind: () => Promise.reject(new Error("no lag")), behindSampleMs: 1 });
    for (let n = 0; n < 3; n++) await checked.append(batchOf(1));
    expect((await logged()).map(isReference)).toEqual([false, false, false]);
  });

  it("refuses a large batch while the claims are away, and lets small ones through though the log is behind", async () => {
    const away = new GcsClaimStore({ bucket: "claims", prefix: "", endpoint: "http://127.0.0.1:1", maxAttempts: 1 });
    const checked = open({ claims: away, isBehind: async () => true });
    await checked.append(batchOf(1));
    await checked.append(batchOf(1));
    await expect(checked.append(batchOf(300))).rejects.toThrow(StoreUnavailableError);
    expect((await logged()).map(isReference)).toEqual([false, false]);
  });
});

describe("a reference", () => {
  it("comes back from its message, and any other bytes are no reference", () => {
    fc.assert(
      fc.property(
        fc.record({ name: fc.string(), sizeBytes: fc.maxSafeNat(), crc32: fc.nat(), events: fc.nat() }),
        fc.uint8Array(),
        (reference, other) => {
          expect(decodeReference(encodeReference(reference))).toEqual(reference);
          expect(isReference(other)).toBe(false);
        },
      ),
    );
    expect(isReference(batchOf(2).payload)).toBe(false);
    expect(isReference(encodeReference({ name: "", sizeBytes: 0, crc32: 0, events: 0 }).subarray(0, 9))).toBe(false);
  });

  it("is what avsc makes of its schema, and no batch", () => {
    const fields = { name: claimName(), sizeBytes: 5_000_000_000, crc32: 0xffffffff, events: 7 };
    const reference = encodeReference(fields);
    const schema = schemas.find(reference.subarray(2, 10));
    expect(schema?.name).toBe("reference-v1");
    expect({ ...schema?.type.fromBuffer(reference.subarray(10)) }).toEqual(fields);
    expect(() => decodeBatch(reference)).toThrow(BatchFormatError);
  });

  it("whose claim is missing or damaged, or that is damaged itself, is unresolved and says why", async () => {
    const content = randomBytes(500);
    const name = claimName();
    await claims.write(name, content);
    const good = { name, sizeBytes: 500, crc32: crc32(content), events: 9 };
    const detailOf = async (payload: Uint8Array) => {
      const resolved = await resolveReference(payload, claims);
      return resolved.kind === "unresolved" ? `${resolved.reason}: ${resolved.detail}` : resolved.kind;
    };
    expect(await detailOf(encodeReference(good))).toBe("payload");
    expect(await detailOf(encodeReference({ ...good, name: claimName() }))).toMatch(/not-avro: the claim .* missing/);
    expect(await detailOf(encodeReference({ ...good, name: "../../etc/passwd" }))).toMatch(/is no claim's name/);
    expect(await detailOf(encodeReference({ ...good, sizeBytes: 499 }))).toMatch(/has 500 bytes, not 499/);
    expect(await detailOf(encodeReference({ ...good, crc32: 1 }))).toMatch(/checksum/);
    expect(await detailOf(encodeReference(good).subarray(0, -3))).toMatch(/a damaged reference/);
    await claims.write(name, content.subarray(0, 250));
    expect(await detailOf(encodeReference(good))).toMatch(/has 250 bytes, not 500/);
  });

  it("whose claim cannot be read now says nothing about the batch", async () => {
    const reference = encodeReference({ name: claimName(), sizeBytes: 1, crc32: 1, events: 1 });
    const away = new DirectoryClaimStore({ folder: join(folder, "not-mounted") });
    await expect(resolveReference(reference, away)).rejects.toThrow(StoreUnavailableError);
  });
});
