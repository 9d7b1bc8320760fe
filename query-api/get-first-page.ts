import { NO_STORE } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readinessOf } from "./get-ready";
import { escaped, page } from "./page";
import { nothingAsked } from "./schemas";

const LINKS: readonly (readonly [path: string, about: string])[] = [
  ["/docs", "the interface, with every parameter"],
  ["/openapi.json", "the same as OpenAPI 3.1"],
  ["/v1/top?eventType=VIEW", "the videos with the most views of the last 24 hours"],
  ["/v1/ledger", "the books: accepted, archived, counted, minute by minute"],
  ["/v1/audits", "what the strong audits found"],
  ["/metrics", "metrics for Prometheus"],
  ["/readyz", "whether everything is there"],
];

/** GET /: what is running, and where to go from here. */
export function getFirstPage(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/",
    query: nothingAsked,
    operation: {
      operationId: "getFirstPage",
      tag: "operation",
      summary: "What is running",
      contentType: "text/html",
      problems: [],
    },
    async handle() {
      const running = (await readinessOf(dependencies)).map(
        ({ name, ok, detail }) =>
          `<tr><td>${escaped(name)}</td><td${ok ? "" : ' class="bad"'}>${ok ? "ok" : "not ok"}</td><td>${escaped(detail)}</td></tr>`,
      );
      const links = LINKS.map(([path, about]) => `<li><a href="${path}">${path}</a>: ${about}</li>`);
      const body = `<h1>Viewmill</h1>
<p>Counts what happens to videos, exactly and live.</p>
<h2>What is running</h2>
<table>${running.join("\n")}</table>
<h2>Where to go</h2>
<ul>${links.join("\n")}</ul>
<h2>Try it</h2>
<pre>curl -H 'Content-Type: application/json' -d '{"eventId":"first","videoId":"my-video","eventType":"VIEW"}' URL/v1/events
curl URL/v1/videos/my-video</pre>`;
      return page("Viewmill", body, NO_STORE);
    },
  });
}
