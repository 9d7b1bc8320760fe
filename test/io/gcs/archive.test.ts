// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { EventColumnsBuilder } from "../../../domain/columns/event-columns";
import { ArchiveObjectWriter, readArchiveObject } from "../../../io/formats/avro/archive-object";
import { AvroError } from "../../../io/formats/avro/binary";
import { GcsArchive } from "../../../io/gcs/archive";
import { StoreUnavailableError } from "../../../io/ports";
import { describeWithServers } from "../../servers/with-servers";
import { archiveContract } from "../ports/archive-contract";
import { FaultyProxy } from "./faulty-proxy";
import { BUCKET, freshPrefix } from "./gcs-server";
import { withGcs } from "./with-gcs";

describeWithServers("the archive in Cloud Storage", ["gcs"], () => {
  const gcs = withGcs();
  const archives: GcsArchive[] = [];
  const open = (prefix = freshPrefix(), rest: { bucket?: string; endpoint?: string } = {}): GcsArchive => {
    const archive = new GcsArchive({ bucket: BUCKET, prefix, endpoint: gcs.endpoint, maxAttempts: 2, ...rest });
    archives.push(archive);
    return archive;
  };
  afterEach(() => {
    for (const archive of archives.splice(0)) archive.close();
  });

  archiveContract("GcsArchive", { open: async () => open() });

  it("lists more objects than a page has, in order", async () => {
    const proxy = await FaultyProxy.start(gcs.endpoint);
    proxy.pageObjects = 4;
    const archive = open(freshPrefix(), { endpoint: proxy.endpoint });
    const names = Array.from({ length: 30 }, (_, n) => `w-${String(n).padStart(5, "0")}.avro`);
    await Promise.all(names.map((name) => archive.write(5, name, Buffer.from(name))));
    proxy.requests.length = 0;
    expect((await archive.list(5, 6)).map(({ name }) => name.split("/")[3])).toEqual(names);
    expect(proxy.requests).toHaveLength(8);
    expect(await archive.list(6, 60)).toEqual([]);
    expect(await archive.list(-1e9, 1e9)).toHaveLength(30);
    await proxy.stop();
  });

  it("sees only what is below its prefix, and passes over what is no archive object", async () => {
    const prefix = freshPrefix();
    const archive = open(prefix);
    const written = await archive.write(5, "a.avro", Buffer.from("a"));
    await open(`${prefix}x`).write(5, "b.avro", Buffer.from("b"));
    await open(`${prefix}/inner`).write(6, "c.avro", Buffer.from("c"));
    await upload(`${prefix}/date=1970-01-01/hour=00/minute=05/notes.txt`, Buffer.from("mine"));
    await upload(`${prefix}/date=1970-01-01/README`, Buffer.from("mine"));
    expect(await archive.list(0, 1440)).toMatchObject([written]);
    expect(await archive.list(-1e9, 1e9)).toEqual([{ ...written, writtenAtMs: expect.any(Number) }]);
    expect(await archive.minutes(0, 1440)).toEqual([5]);
  });

  it("writes once what must not be replaced, and knows its own bytes", async () => {
    const archive = open();
    const first = await archive.writeOnce(5, "a.avro", Buffer.from("first"));
    expect(await archive.writeOnce(5, "a.avro", Buffer.from("first"))).toEqual(first);
    await expect(archive.writeOnce(5, "a.avro", Buffer.from("other"))).rejects.toThrow(
      expect.objectContaining({ name: "ObjectExistsError" }),
    );
    expect(Buffer.from(await archive.read(first.name)).toString()).toBe("first");
  });

  it("gives an object that was cut in the bucket as it is, and its decoder finds the cut", async () => {
    const prefix = freshPrefix();
    const archive = open(prefix);
    const whole = anObject();
    const { name } = await archive.write(5, "a.avro", whole);
    expect([...readArchiveObject(await archive.read(name), 5)]).toHaveLength(1);
    for (const sizeBytes of [whole.length - 1, whole.length >> 1, 3]) {
      await upload(`${prefix}/${name}`, whole.subarray(0, sizeBytes));
      const cut = await archive.read(name);
      expect(cut.byteLength).toBe(sizeBytes);
      expect(() => [...readArchiveObject(cut, 5)]).toThrow(AvroError);
    }
  });

  it("says which bucket is missing, and that an object is", async () => {
    await expect(open().read("date=1970-01-01/hour=00/minute=05/a.avro")).rejects.toThrow(
      expect.objectContaining({ name: "ObjectMissingError" }),
    );
    const nowhere = open("archive", { bucket: "no-such-bucket" });
    for (const call of [
      () => nowhere.write(5, "a.avro", randomBytes(10)),
      () => nowhere.read("date=1970-01-01/hour=00/minute=05/a.avro"),
      () => nowhere.list(0, 5),
      () => nowhere.minutes(0, 5),
    ]) {
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(String(error)).toMatch(/bucket no-such-bucket: .*HTTP 404/);
    }
  });

  async function upload(name: string, content: Uint8Array): Promise<void> {
    const url = `${gcs.endpoint}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${encodeURIComponent(name)}`;
    const answer = await fetch(url, { method: "POST", body: Buffer.from(content) });
    expect(answer.status).toBe(200);
  }
});

function anObject(): Buffer {
  const builder = new EventColumnsBuilder();
  for (let n = 0; n < 500; n++) {
    builder.add({ eventId: `e-${n}`, videoId: `v-${n % 7}`, eventType: "VIEW", eventTimeMs: 300_000 + n });
  }
  const columns = builder.build();
  const writer = new ArchiveObjectWriter("a.avro");
  for (let row = 0; row < columns.count; row++) writer.add(columns, row, 300_000);
  return writer.finish();
}
