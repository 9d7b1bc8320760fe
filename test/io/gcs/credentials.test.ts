// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { GcsArchive } from "../../../io/gcs/archive";
import { StoreUnavailableError } from "../../../io/ports";
import { removeFolders, temporaryFolder } from "../ports/condition";

/** Gives tokens and is the bucket, in one; what it was asked. */
interface Google {
  endpoint: string;
  asked: { path: string; authorization: string | undefined }[];
  server: Server;
}

async function startGoogle(): Promise<Google> {
  const asked: Google["asked"] = [];
  const server = createServer((request, answer) => {
    asked.push({ path: request.url ?? "", authorization: request.headers.authorization });
    request.resume();
    const token = { access_token: "a-token", issued_token_type: "t", token_type: "Bearer", expires_in: 3600 };
    answer.writeHead(200, { "content-type": "application/json" });
    answer.end(JSON.stringify(request.url === "/token" ? token : { items: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { endpoint: `http://127.0.0.1:${port}`, asked, server };
}

describe("credentials", () => {
  let google: Google;
  let folder = "";
  beforeEach(async () => {
    folder = temporaryFolder();
    google = await startGoogle();
    vi.stubEnv("METADATA_SERVER_DETECTION", "none");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    google.server.closeAllConnections();
    google.server.close();
    removeFolders();
  });
  const open = (authenticate?: boolean) =>
    new GcsArchive({
      bucket: "archive-bucket",
      prefix: "",
      endpoint: google.endpoint,
      ...(authenticate === undefined ? {} : { authenticate }),
    });

  it("are the application default ones, one token for all requests", async () => {
    const token = join(folder, "subject-token");
    writeFileSync(token, "a subject's token");
    const file = join(folder, "credentials.json");
    const account = {
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${google.endpoint}/token`,
      credential_source: { file: token },
    };
    writeFileSync(file, JSON.stringify(account));
    vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", file);
    vi.stubEnv("GOOGLE_CLOUD_PROJECT", "a-project");
    const archive = open(true);
    await archive.list(5, 6);
    await archive.list(5, 6);
    expect(google.asked.map(({ path }) => path.split("?")[0])).toEqual([
      "/token",
      "/storage/v1/b/archive-bucket/o",
      "/storage/v1/b/archive-bucket/o",
    ]);
    expect(google.asked.slice(1).map(({ authorization }) => authorization)).toEqual([
      "Bearer a-token",
      "Bearer a-token",
    ]);
    archive.close();
  });

  it("that are not there make the store unavailable", async () => {
    vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", join(folder, "no-such-file.json"));
    const archive = open(true);
    await expect(archive.list(5, 6)).rejects.toThrow(StoreUnavailableError);
    await expect(archive.list(5, 6)).rejects.toThrow(/no Google credentials/);
    expect(google.asked).toEqual([]);
    archive.close();
  });

  it("are not sent to another server than Google's unless asked for", async () => {
    const archive = open();
    await archive.list(5, 6);
    expect(google.asked).toMatchObject([{ authorization: undefined }]);
    archive.close();
  });
});
