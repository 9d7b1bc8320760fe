// SPDX-License-Identifier: Apache-2.0
import type { GcsEmulator } from "../../../servers";
import { COLD_START_MS } from "../../servers/with-servers";
import { BUCKET, freshPrefix, startGcsServer } from "./gcs-server";

interface GcsUnderTest {
  readonly endpoint: string;
  /** The bucket, and a prefix that no other test has. */
  place(): { bucket: string; prefix: string; endpoint: string };
}

/** Registers hooks within a suite: the emulator of Cloud Storage starts before the suite and stops after it. */
export function withGcs(): GcsUnderTest {
  let server: GcsEmulator | undefined;
  const endpoint = (): string => {
    if (server === undefined) throw new Error("the emulator has not been started");
    return server.endpoint;
  };
  beforeAll(async () => {
    server = await startGcsServer();
  }, COLD_START_MS);
  afterAll(() => server?.stop());
  return {
    get endpoint() {
      return endpoint();
    },
    place: () => ({ bucket: BUCKET, prefix: freshPrefix(), endpoint: endpoint() }),
  };
}
