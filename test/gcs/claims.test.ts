import { GcsClaimStore } from "../../io/gcs/claims";
import { claimStoreContract } from "../contracts/claim-store-contract";
import { BUCKET, freshPrefix, GCS_SERVER, GcsServer } from "./gcs-server";

describe.skipIf(GCS_SERVER === undefined)("claims in Cloud Storage", () => {
  let server: GcsServer;
  let prefix = "";
  beforeAll(async () => {
    server = await GcsServer.start();
  });
  beforeEach(() => {
    prefix = freshPrefix();
  });
  afterAll(() => server.stop());

  claimStoreContract("GcsClaimStore", {
    open: async () => new GcsClaimStore({ bucket: BUCKET, prefix, endpoint: server.endpoint }),
  });
});
