// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { GcsArchive } from "../../../io/gcs/archive";
import { GcsClaimStore } from "../../../io/gcs/claims";
import type { GcsOptions } from "../../../io/gcs/config";
import { GcsDeadLetters } from "../../../io/gcs/dead-letters";
import { StoreUnavailableError } from "../../../io/ports";
import type { GcsEmulator } from "../../../servers";
import { deadline } from "../../deadline";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { claimName } from "../ports/claim-store-contract";
import { seeded } from "../ports/condition";
import { letter } from "../ports/dead-letters-contract";
import { type Fault, FaultyProxy } from "./faulty-proxy";
import { BUCKET, freshPrefix, startGcsServer } from "./gcs-server";

const PASSING: Fault[] = [408, 429, 500, 503, "answer lost", "answer swallowed", "answer cut", "request cut", "slow"];

describeWithServers("Cloud Storage behind a network that fails", ["gcs"], () => {
  let server: GcsEmulator;
  let proxy: FaultyProxy;
  let prefix = "";
  const options = (rest: Partial<GcsOptions> = {}): GcsOptions => {
    return { bucket: BUCKET, prefix, endpoint: proxy.endpoint, requestTimeoutMs: 1000, retryPauseMs: 1, ...rest };
  };
  beforeAll(async () => {
    server = await startGcsServer({ backend: "filesystem" });
    proxy = await FaultyProxy.start(server.endpoint);
  }, COLD_START_MS);
  beforeEach(() => {
    prefix = freshPrefix();
    proxy.faults.length = 0;
    proxy.requests.length = 0;
  });
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });

  it.each(PASSING)("writes, lists and reads again after %s", async (fault) => {
    // A whole answer may take long on a slow machine; one that never comes is waited for no longer than a second.
    const swallowed = fault === "answer swallowed";
    const archive = new GcsArchive(options(swallowed ? {} : { requestTimeoutMs: deadline(1_000) }));
    const content = randomBytes(200_000);
    proxy.faults.push(fault);
    const written = await archive.write(5, "a.avro", content);
    proxy.faults.push(fault);
    expect(await archive.list(5, 6)).toEqual([{ ...written, writtenAtMs: expect.any(Number) }]);
    proxy.faults.push(fault);
    expect(Buffer.compare(await archive.read(written.name), content)).toBe(0);
    expect(proxy.faults).toEqual([]);
    if (swallowed) expect(proxy.requests.length).toBeGreaterThanOrEqual(6);
    else expect(proxy.requests).toHaveLength(fault === "slow" ? 3 : 6);
    archive.close();
  });

  it.each(PASSING)("writes a letter once though the answer was %s", async (fault) => {
    const letters = new GcsDeadLetters(options());
    proxy.faults.push(fault);
    await letters.append([letter("one"), letter("two")]);
    expect(await letters.list({ limit: 9 })).toHaveLength(2);
    expect(await letters.rejectedByMinute(0, 9)).toEqual(new Map([[1, 2]]));
    await letters.close();
  });

  it("knows its own object again when the answer of writing it once was lost", async () => {
    const archive = new GcsArchive(options());
    proxy.faults.push("answer lost", 503, "answer swallowed");
    await archive.writeOnce(5, "a.avro", Buffer.from("mine"));
    expect(await archive.list(5, 6)).toHaveLength(1);
    archive.close();
  });

  it("never gives bytes that are not those of the checksum", async () => {
    const claims = new GcsClaimStore(options({ maxAttempts: 3 }));
    const [name, content] = [claimName(), randomBytes(10_000)];
    await claims.write(name, content);
    proxy.faults.push("answer flipped", "answer flipped");
    expect(Buffer.compare(await claims.read(name), content)).toBe(0);
    proxy.faults.push("answer flipped", "answer flipped", "answer flipped");
    await expect(claims.read(name)).rejects.toThrow(/checksum/);
    claims.close();
  });

  it.each([401, 403] as const)("does not try again after %d, and says why", async (status) => {
    const archive = new GcsArchive(options());
    proxy.faults.push(status);
    const error = await archive.write(5, "a.avro", Buffer.from("a")).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(String(error)).toContain(
      `bucket ${BUCKET}: cannot write date=1970-01-01/hour=00/minute=05/a.avro: HTTP ${status}: made up`,
    );
    expect(proxy.requests).toHaveLength(1);
    archive.close();
  });

  it("gives up after so many attempts", async () => {
    const archive = new GcsArchive(options({ maxAttempts: 4 }));
    proxy.faults.push(503, 503, 503, 503);
    await expect(archive.list(5, 6)).rejects.toThrow(/4 attempts.*503/);
    expect(proxy.requests).toHaveLength(4);
    archive.close();
  });

  it("begins no attempt when the time for them is over", async () => {
    const archive = new GcsArchive(options({ requestTimeoutMs: 100, retryWithinMs: 50 }));
    proxy.faults.push("answer swallowed");
    await expect(archive.list(5, 6)).rejects.toThrow(/1 attempts.*no whole answer within 100 ms/);
    expect(proxy.requests).toHaveLength(1);
    archive.close();
  });

  it("replaces an object whole or not at all, whatever fails", async () => {
    const seed = Date.now() % 1e6;
    const random = seeded(seed);
    const archive = new GcsArchive(options({ maxAttempts: 2, requestTimeoutMs: 300 }));
    const reader = new GcsArchive(options());
    const versions = Array.from({ length: 40 }, (_, n) => Buffer.alloc(50_000 + n, n));
    let possible: Buffer[] = [];
    for (const version of versions) {
      for (let n = 0; n < 3; n++)
        if (random() < 0.6) proxy.faults.push(PASSING[Math.floor(random() * PASSING.length)]!);
      const done = await archive.write(5, "a.avro", version).then(
        () => true,
        () => false,
      );
      // One that was not acknowledged may have been written all the same.
      possible = done ? [version] : [...possible, version];
      proxy.faults.length = 0;
      const found = await reader.list(5, 6);
      if (found.length === 0) continue;
      const read = Buffer.from(await reader.read(found[0]!.name));
      expect(
        possible.some((one) => one.equals(read)),
        `seed ${seed}: a version that cannot be`,
      ).toBe(true);
    }
    reader.close();
    archive.close();
  });

  it("goes on when the server ends and is started again, and has what it acknowledged", async () => {
    const archive = new GcsArchive(options({ maxAttempts: 12, retryPauseMs: 50, requestTimeoutMs: 5000 }));
    const acknowledged: string[] = [];
    const write = async (n: number) => {
      acknowledged.push((await archive.write(n % 3, `w-${n}.avro`, randomBytes(20_000))).name);
    };
    const before = Promise.all(Array.from({ length: 300 }, (_, n) => write(n)));
    await expect.poll(() => acknowledged.length).toBeGreaterThan(5);
    // Ended, not killed: the emulator, unlike the service, leaves half an object behind.
    await server.kill("SIGTERM");
    expect(acknowledged.length).toBeLessThan(300);
    await server.restart();
    await before;
    expect((await archive.list(0, 3)).map(({ name }) => name).sort()).toEqual(acknowledged.sort());
    for (const name of acknowledged) expect((await archive.read(name)).byteLength).toBe(20_000);
    archive.close();
  });
});
