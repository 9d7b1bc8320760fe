// SPDX-License-Identifier: Apache-2.0
import { GcsRollUps } from "../../../io/gcs/roll-up-folder";
import { describeWithServers } from "../../servers/with-servers";
import { rollUpFolderContract } from "../ports/roll-up-folder-contract";
import { withGcs } from "./with-gcs";

describeWithServers("roll-ups in Cloud Storage", ["gcs"], () => {
  const gcs = withGcs();
  rollUpFolderContract("GcsRollUps", { open: async () => new GcsRollUps(gcs.place()) });
});
