// SPDX-License-Identifier: Apache-2.0
import { ClaimCheckLog } from "../../../io/claim-check/claim-check-log";
import { decodeReference, encodeReference } from "../../../io/formats/avro/reference";
import { resolveReference } from "../../../io/formats/claim-check/resolve-reference";
import { GcsClaimStore } from "../../../io/gcs/claims";
import { StoreUnavailableError } from "../../../io/ports";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { describeWithServers } from "../../servers/with-servers";
import { event, message } from "../../transforms/elements";
import { claimName, claimStoreContract } from "../ports/claim-store-contract";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { withGcs } from "./with-gcs";

describeWithServers("claims in Cloud Storage", ["gcs"], () => {
  const gcs = withGcs();
  let place: ReturnType<typeof gcs.place>;
  beforeEach(() => {
    place = gcs.place();
  });

  claimStoreContract("GcsClaimStore", {
    open: async () => new GcsClaimStore(place),
  });

  it("carries a large batch past the log, and finds one that was cut in the bucket", async () => {
    const folder = temporaryFolder();
    const log = await SqliteEventLog.open({ folder });
    const claims = new GcsClaimStore(place);
    const checked = new ClaimCheckLog({ log, claims, maxMessageBytes: 1000 });
    const { payload } = message(Array.from({ length: 5000 }, (_, n) => event(`e-${n}`)));
    await checked.append({ payload, events: 5000, acceptedByMinute: new Map([[7, 5000]]) });
    const [entry] = await log.read(0, 10, 1e9);
    expect(entry!.payload.byteLength).toBeLessThan(200);
    expect(await resolveReference(entry!.payload, claims)).toEqual({ kind: "payload", payload });
    await claims.write(decodeReference(entry!.payload).name, payload.subarray(0, 7000));
    expect(await resolveReference(entry!.payload, claims)).toMatchObject({ kind: "unresolved", reason: "not-avro" });
    claims.close();
    await checked.close();
    removeFolders();
  });

  it("says nothing about a batch whose bucket is not there", async () => {
    const nowhere = new GcsClaimStore({ ...place, bucket: "no-such-bucket" });
    const reference = encodeReference({ name: claimName(), sizeBytes: 1, crc32: 1, events: 1 });
    await expect(resolveReference(reference, nowhere)).rejects.toThrow(StoreUnavailableError);
    nowhere.close();
  });
});
