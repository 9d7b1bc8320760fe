// SPDX-License-Identifier: Apache-2.0
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";

/**
 * Fetches from the own listener of this process over TLS. The service calls itself by an address, which its certificate
 * does not name, and perhaps nobody signed the certificate that this machine trusts; so it is not checked. The canary
 * within a service with `http.tls` uses it, and no other request does.
 */
export const ownFetch = ((url: string, { method = "GET", headers, body, signal }: RequestInit = {}) =>
  new Promise<Response>((resolve, reject) => {
    const options = {
      method,
      headers: headers as Record<string, string>,
      ...(signal && { signal }),
      agent: false,
      rejectUnauthorized: false,
    };
    const request = httpsRequest(url, options, (response) => {
      const { statusCode: status = 0, headers: fields } = response;
      resolve(new Response(Readable.toWeb(response) as ReadableStream, { status, headers: fields as HeadersInit }));
    });
    request.once("error", reject);
    request.end(body);
  })) as typeof fetch;
