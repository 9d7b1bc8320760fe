// SPDX-License-Identifier: Apache-2.0
/** The audits that a service starts by itself: they reach what the service reaches. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import pino from "pino";
import { effectiveConfigFile } from "../../../cli/config/effective-config";
import { configSchema } from "../../../cli/config/schema";
import { openDeployment } from "../../../cli/deployment/deployment";
import { AuditSchedule } from "../../../cli/programs/audit-schedule";
import { environmentOfChild } from "../../../cli/programs/child-environment";
import { minuteOf } from "../../../domain/event";
import { DAY_MS, MINUTE_MS } from "../../../domain/rules/time";
import { createTables } from "../../../io/bigtable/tables";
import type { AuditReport } from "../../../io/ports";
import { type GcsEmulator, startBigtableEmulator } from "../../../servers";
import { columnsOf, T0 } from "../../domain/model";
import { archiveObject } from "../../io/formats/avro/events";
import { BUCKET, freshPrefix, startGcsServer } from "../../io/gcs/gcs-server";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { event } from "../../transforms/elements";

it("a child gets the whole environment but what are settings", () => {
  const name = fc.oneof(
    fc.constantFrom("GOOGLE_APPLICATION_CREDENTIALS", "NODE_EXTRA_CA_CERTS", "HTTPS_PROXY", "HOME", "PATH"),
    fc.stringMatching(/^[A-Z_]{1,12}$/),
    fc.stringMatching(/^VIEWMILL_[A-Z_]{0,12}$/),
  );
  fc.assert(
    fc.property(fc.dictionary(name, fc.string()), (env) => {
      const settings = Object.keys(env).filter((key) => key.startsWith("VIEWMILL_"));
      const child = environmentOfChild(env);
      expect({ ...child, ...Object.fromEntries(settings.map((key) => [key, env[key]])) }).toEqual({ ...env });
      for (const key of settings) expect(child).not.toHaveProperty(key);
    }),
  );
});

it("a check of totals that lies ahead, by a clock that has been set back, does not put off the next one", {
  timeout: 120_000,
}, async () => {
  const data = mkdtempSync(join(tmpdir(), "viewmill-schedule-"));
  const config = configSchema.parse({ data });
  await (await openDeployment(config)).close();
  const ahead = { totals: true, startedAtMs: Date.now() + 300 * DAY_MS } as AuditReport;
  let schedule: AuditSchedule | undefined;
  const ranges = await new Promise<string[]>((resolve) => {
    const ended: string[] = [];
    const write = (line: string) => {
      const { range } = JSON.parse(line) as { range?: string };
      if (range !== undefined) ended.push(range);
      if (ended.includes("--totals")) resolve(ended);
    };
    schedule = new AuditSchedule({
      config,
      configFile: () => effectiveConfigFile(config),
      ledger: { audits: async () => [ahead] },
      logger: pino({}, { write }),
      clock: Date.now,
    });
    schedule.start();
  });
  expect(ranges).toEqual(["--due", "--totals"]);
  await schedule!.stop();
  rmSync(data, { recursive: true });
});

describeWithServers(
  "a scheduled audit of Bigtable and a bucket behind an authority of the house",
  ["gcs", "bigtable"],
  () => {
    let folder: string;
    let gcs: GcsEmulator;
    let bigtable: Awaited<ReturnType<typeof startBigtableEmulator>>;
    let door: Server;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "viewmill-schedule-"));
      [gcs, bigtable] = await Promise.all([startGcsServer(), startBigtableEmulator()]);
      const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
      execFileSync(
        "openssl",
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject],
        {
          stdio: "ignore",
        },
      );
      door = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (incoming, outgoing) => {
        const { method, headers, url } = incoming;
        const options = { ...(method === undefined ? {} : { method }), headers };
        const inner = request(new URL(url ?? "/", gcs.endpoint), options, (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        });
        inner.on("error", () => outgoing.destroy());
        incoming.pipe(inner);
      });
      await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
      vi.stubEnv("NODE_EXTRA_CA_CERTS", cert);
      vi.stubEnv("VIEWMILL_AUDIT_REPAIR", "no setting of the file's");
    }, COLD_START_MS);
    afterAll(async () => {
      vi.unstubAllEnvs();
      door.closeAllConnections();
      door.close();
      await Promise.all([gcs.stop(), bigtable.stop()]);
      rmSync(folder, { recursive: true });
    });

    it("reads it, ends equal, and its settings are for this user's eyes only", { timeout: 120_000 }, async () => {
      const settings = (endpoint: string) =>
        configSchema.parse({
          data: folder,
          archive: { kind: "gcs", prefix: `${prefix}/` },
          deadLetters: { kind: "gcs", prefix: `${prefix}-letters/` },
          gcs: { bucket: BUCKET, endpoint },
          counters: { kind: "bigtable", tablePrefix: "scheduled", endpoint: bigtable.host },
        });
      const prefix = freshPrefix();
      await createTables({
        projectId: "viewmill",
        instanceId: "viewmill",
        tablePrefix: "scheduled",
        emulatorHost: bigtable.host,
      });
      const config = settings(`https://127.0.0.1:${(door.address() as AddressInfo).port}`);
      writeFileSync(join(folder, "effective-config.json"), "{}", { mode: 0o644 });
      const deployment = await openDeployment(settings(gcs.endpoint));
      const columns = columnsOf([event("a", { eventTimeMs: T0 })]);
      await deployment.archive.write(minuteOf(T0), "w-1.avro", archiveObject("w-1.avro", columns, T0));
      const ended = new Promise<{ exit: number }>((resolve) => {
        const schedule = new AuditSchedule({
          config,
          configFile: () => effectiveConfigFile(config),
          ledger: deployment.ledger,
          logger: pino(
            {},
            {
              write: (line) => {
                if (line.includes("scheduled audit ended")) resolve(JSON.parse(line) as { exit: number });
              },
            },
          ),
          clock: () => T0 + 3 * 60 * MINUTE_MS,
        });
        schedule.start();
      });
      expect(await ended).toMatchObject({ exit: 0 });
      expect(statSync(join(folder, "effective-config.json")).mode & 0o777).toBe(0o600);
      await deployment.close();
    });
  },
);
