// SPDX-License-Identifier: Apache-2.0
/** TLS of the service: a real handshake with each certificate, read again when its files change. */
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import pino from "pino";
import { configSchema } from "../../../../cli/config/schema";
import { serviceListener } from "../../../../cli/programs/serve/listeners";
import { removeFolders, temporaryFolder } from "../../../io/ports/condition";
import { describeWithPrograms } from "../../../programs";
import { until } from "../../../until";

const LOOK_EVERY_MS = 20;

describeWithPrograms("TLS", ["openssl"], () => {
  let folder = "";
  let listener: ReturnType<typeof serviceListener> | undefined;
  const logged: { level: number; msg: string }[] = [];
  const logger = pino({ level: "info" }, { write: (line) => void logged.push(JSON.parse(line) as (typeof logged)[0]) });
  const certificates: Record<string, X509Certificate> = {};

  beforeAll(() => {
    folder = temporaryFolder();
    for (const name of ["first", "second"]) {
      const files = ["-keyout", join(folder, `${name}.key`), "-out", join(folder, `${name}.pem`)];
      const how = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(" ");
      const { status, stderr } = spawnSync("openssl", [...how, ...files], { encoding: "utf8" });
      if (status !== 0) throw new Error(stderr);
      certificates[name] = new X509Certificate(readFileSync(join(folder, `${name}.pem`)));
    }
  });
  afterEach(() => {
    listener?.stop();
    listener?.server.closeAllConnections();
    listener?.server.close();
    listener = undefined;
    logged.length = 0;
  });
  afterAll(removeFolders);

  const [certificateFile, keyFile] = ["tls.pem", "tls.key"].map((name) => () => join(folder, name)) as [
    () => string,
    () => string,
  ];
  const use = (name: string) => {
    copyFileSync(join(folder, `${name}.key`), keyFile());
    copyFileSync(join(folder, `${name}.pem`), certificateFile());
  };
  const start = () => {
    const tls = { certificateFile: certificateFile(), keyFile: keyFile() };
    return serviceListener(
      configSchema.parse({ http: { tls } }),
      (_, response) => response.end("ok"),
      logger,
      LOOK_EVERY_MS,
    );
  };
  async function listening(): Promise<number> {
    listener = start();
    await new Promise<void>((resolve) => listener!.server.listen(0, "127.0.0.1", resolve));
    return (listener.server.address() as AddressInfo).port;
  }
  async function handshake(port: number): Promise<TLSSocket> {
    const socket = connect({ port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    return socket;
  }
  async function shown(port: number): Promise<string> {
    const socket = await handshake(port);
    const { fingerprint256 } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return Object.keys(certificates).find((name) => certificates[name]!.fingerprint256 === fingerprint256) ?? "unknown";
  }

  it("shows the new certificate to new connections when the files change; a connection of before goes on", async () => {
    use("first");
    const port = await listening();
    expect([listener!.scheme, await shown(port)]).toEqual(["https", "first"]);
    const before = await handshake(port);
    use("second");
    await until("the second certificate is shown", async () => (await shown(port)) === "second");
    expect(logged.map(({ msg }) => msg)).toContain("the certificate was read again");
    before.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(String((await once(before, "data"))[0])).toMatch(/^HTTP\/1\.1 200/);
    before.destroy();
  });

  it.each([
    ["damaged", () => writeFileSync(certificateFile(), "no certificate\n")],
    ["another key's", () => copyFileSync(join(folder, "second.pem"), certificateFile())],
  ])("keeps the certificate of before where the file is %s, says so, and goes on when both fit", async (_, spoil) => {
    use("first");
    const port = await listening();
    spoil();
    const stays = "the certificate cannot be read: the one before stays";
    await until("the log says so", () => logged.some(({ level, msg }) => level === 50 && msg === stays));
    expect(await shown(port)).toBe("first");
    use("second");
    await until("the second certificate is shown", async () => (await shown(port)) === "second");
  });

  it("refuses TLS 1.1, and to start with files that do not fit, naming both", async () => {
    use("first");
    const port = await listening();
    const old = connect({
      port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
    });
    await expect(once(old, "secureConnect")).rejects.toThrow();
    copyFileSync(join(folder, "second.key"), keyFile());
    expect(start).toThrow(expect.objectContaining({ name: "CertificateError" }));
    expect(start).toThrow(/^http\.tls \(.*tls\.pem, .*tls\.key\): /);
  });
});
