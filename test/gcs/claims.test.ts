import { GcsClaimStore } from "../../io/gcs/claims";
import type { GcsEmulator } from "../../servers";
import { claimStoreContract } from "../contracts/claim-store-contract";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { BUCKET, freshPrefix, startGcsServer } from "./gcs-server";

describeWithServers("claims in Cloud Storage", ["gcs"], () => {
  let server: GcsEmulator;
  let prefix = "";
  beforeAll(async () => {
    server = await startGcsServer();
  }, COLD_START_MS);
  beforeEach(() => {
    prefix = freshPrefix();
  });
  afterAll(() => server?.stop());

  claimStoreContract("GcsClaimStore", {
    open: async () => new GcsClaimStore({ bucket: BUCKET, prefix, endpoint: server.endpoint }),
  });
});
