// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 11. offerArtifacts awaits the whole call, response headers included. A job service without artifacts ends the
 * stream with trailers only, so the headers never arrive, nothing keeps the event loop alive, and the submitting
 * process exits 0 without having submitted. Fix: the call's status decides.
 */
export function awaitArtifactStatus(): void {
  const artifacts = sdk.artifacts as { offerArtifacts: typeof import("apache-beam/runners/artifacts").offerArtifacts };
  const offerArtifacts = artifacts.offerArtifacts;
  artifacts.offerArtifacts = (client, token, rootDir) =>
    new Promise((resolve, reject) => {
      const observed = Object.create(client) as typeof client;
      observed.reverseArtifactRetrievalService = (options) => {
        const call = client.reverseArtifactRetrievalService(options);
        call.status.then(
          (status) => (status.code === "OK" ? resolve() : reject(new Error(`${status.code} ${status.detail}`))),
          reject,
        );
        return call;
      };
      offerArtifacts(observed, token, rootDir).then(resolve, reject);
    });
}
