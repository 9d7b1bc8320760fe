// SPDX-License-Identifier: Apache-2.0
import { GcsRollUps } from "../../../io/gcs/roll-up-folder";
import type { GcsEmulator } from "../../../servers";
import { rollUpFolderContract } from "../../contracts/roll-up-folder-contract";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { BUCKET, freshPrefix, startGcsServer } from "./gcs-server";

describeWithServers("roll-ups in Cloud Storage", ["gcs"], () => {
  let server: GcsEmulator;
  beforeAll(async () => {
    server = await startGcsServer();
  }, COLD_START_MS);
  afterAll(() => server?.stop());

  rollUpFolderContract("GcsRollUps", {
    open: async () => new GcsRollUps({ bucket: BUCKET, prefix: freshPrefix(), endpoint: server.endpoint }),
  });
});
