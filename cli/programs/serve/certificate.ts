// SPDX-License-Identifier: Apache-2.0
/** The listeners of `serve` read their certificate here, and again when its files change. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";

/** The interval of checks. Kubernetes replaces secret mounts by moving a link, which no watcher of a file reports. */
const LOOK_EVERY_MS = 10_000;

interface CertificateFiles {
  certificateFile: string;
  keyFile: string;
}

interface Certificate {
  cert: Buffer;
  key: Buffer;
}

/** Thrown with one clear line when the certificate cannot be used. */
class CertificateError extends Error {
  override readonly name = "CertificateError";
}

/** Throws CertificateError where a file cannot be read, or the key does not belong to the certificate. */
export function readCertificate({ certificateFile, keyFile }: CertificateFiles): Certificate {
  try {
    const certificate = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
    createSecureContext(certificate);
    return certificate;
  } catch (error) {
    throw new CertificateError(`http.tls (${certificateFile}, ${keyFile}): ${(error as Error).message}`);
  }
}

/**
 * Calls `onChange` with every new usable pair; half-changed files wait for the next check. Returns the function that
 * ends the watch.
 */
export function watchCertificate(
  files: CertificateFiles,
  logger: Logger,
  onChange: (certificate: Certificate) => void,
  lookEveryMs = LOOK_EVERY_MS,
): () => void {
  let known = readCertificate(files);
  const look = () => {
    try {
      const now = readCertificate(files);
      if (now.cert.equals(known.cert) && now.key.equals(known.key)) return;
      onChange(now);
      known = now;
      logger.info({ validTo: new X509Certificate(now.cert).validTo }, "the certificate was read again");
    } catch (error) {
      logger.error({ err: error }, "the certificate cannot be read: the one before stays");
    }
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
