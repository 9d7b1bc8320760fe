// SPDX-License-Identifier: Apache-2.0
/**
 * The health check of a container: exit code 0 when its service answers. `serve` listens on that port; so do the
 * archiver and the worker pool when they are started with `--health-port 8080`. The HEALTHCHECK of the images runs it.
 */
import { environment } from "../environment";

const TIMEOUT_MS = 4_000;
const said = environment().VIEWMILL_HTTP_PORT ?? "";
/** Kubernetes sets the variable to tcp://… where a service is named viewmill-http. */
const port = /^\d+$/.test(said) ? said : "8080";

fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(TIMEOUT_MS) }).then(
  ({ ok }) => process.exit(ok ? 0 : 1),
  () => process.exit(1),
);
