// SPDX-License-Identifier: Apache-2.0
/** An ingest of its own process, to be killed: argv[2] is the data folder, the URL is the first line it prints. */
import { IngestHarness } from "./ingest-harness";

void IngestHarness.start({ folder: process.argv[2]! }).then((harness) => {
  process.stdout.write(`${harness.url}\n`);
});
