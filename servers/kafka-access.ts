// SPDX-License-Identifier: Apache-2.0
/**
 * A Kafka listener for clients with TLS and credentials (SASL), and an authorizer that denies everything that is not
 * granted. Tests of access to Kafka start a broker with it.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "./cache";
import { freePort } from "./free-port";

/** "viewmill" may do everything, "reader" what access control lists allow. */
type KafkaUser = "viewmill" | "reader";
const USERS: readonly KafkaUser[] = ["viewmill", "reader"];
const SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
const SECURITY = "org.apache.kafka.common.security";

export interface KafkaAccess {
  /** PEM: the authority that signed the broker's certificate. */
  caFile: string;
  /** Each holds the user's password, the same for PLAIN and SCRAM. */
  passwordFiles: Readonly<Record<KafkaUser, string>>;
}

interface SecureListener {
  /** `host:port` */
  bootstrap: string;
  access: KafkaAccess;
  /** Of the storage tool, which keeps what SCRAM needs of the passwords. */
  formatArgs: string[];
}

/** Adds the listener to the broker's properties; the brokers' own listener stays open. */
export async function secureListener(folder: string, config: string): Promise<SecureListener> {
  const port = await freePort();
  const passwords = Object.fromEntries(USERS.map((user) => [user, randomBytes(12).toString("hex")]));
  const passwordFolder = join(folder, "passwords");
  mkdirSync(passwordFolder);
  for (const user of USERS) writeFileSync(join(passwordFolder, user), passwords[user]!, { mode: 0o600 });
  const { caFile, keyStore, storePassword } = await certificate(folder);
  const known = USERS.map((user) => `user_${user}="${passwords[user]}"`).join(" ");
  writeFileSync(
    config,
    `${readFileSync(config, "utf8").replace(/^listeners=|^advertised.listeners=/gm, `$&CLIENTS://127.0.0.1:${port},`)}
listener.security.protocol.map=CLIENTS:SASL_SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN,${SCRAM.join(",")}
listener.name.clients.plain.sasl.jaas.config=${SECURITY}.plain.PlainLoginModule required ${known};
${SCRAM.map((each) => `listener.name.clients.${each.toLowerCase()}.sasl.jaas.config=${SECURITY}.scram.ScramLoginModule required;`).join("\n")}
ssl.keystore.type=PKCS12
ssl.keystore.location=${keyStore}
ssl.keystore.password=${storePassword}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:viewmill;User:ANONYMOUS
`,
  );
  return {
    bootstrap: `127.0.0.1:${port}`,
    access: {
      caFile,
      passwordFiles: { viewmill: join(passwordFolder, "viewmill"), reader: join(passwordFolder, "reader") },
    },
    formatArgs: SCRAM.flatMap((each) =>
      USERS.flatMap((user) => ["--add-scram", `${each}=[name=${user},password=${passwords[user]}]`]),
    ),
  };
}

/** A certificate of 127.0.0.1, signed by itself. */
async function certificate(folder: string): Promise<{ caFile: string; keyStore: string; storePassword: string }> {
  const storePassword = randomBytes(12).toString("hex");
  const [keyStore, caFile] = [join(folder, "broker.p12"), join(folder, "ca.pem")];
  const store = ["-alias", "broker", "-keystore", keyStore, "-storetype", "PKCS12", "-storepass", storePassword];
  const key = ["-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1"];
  await runTool("keytool", ["-genkeypair", ...store, ...key, "-validity", "365"], { cwd: folder });
  await runTool("keytool", ["-exportcert", "-rfc", ...store, "-file", caFile], { cwd: folder });
  return { caFile, keyStore, storePassword };
}
