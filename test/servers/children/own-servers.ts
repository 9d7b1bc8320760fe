// SPDX-License-Identifier: Apache-2.0
/** Starts a server and a folder, prints `<server pid> <server folder>`, and waits to be killed. */
import { startGcsEmulator } from "../../../servers";

void startGcsEmulator({ backend: "filesystem" }).then(({ pid, folder }) => {
  process.stdout.write(`${pid} ${folder}\n`);
  setInterval(() => undefined, 60_000);
});
