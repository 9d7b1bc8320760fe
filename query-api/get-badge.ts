// SPDX-License-Identifier: Apache-2.0
import { type Answer, text } from "./answer";
import { PROVISIONAL_CACHE } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { escaped } from "./escaped";
import { badgeAsked } from "./schemas";

/** The width of a character of the badge's font, in pixels: a safe estimate, because the server cannot measure text. */
const CHARACTER_PX = 6.6;
const PADDING_PX = 12;
const WHOLE = new Intl.NumberFormat("en");

/** GET /v1/videos/{videoId}/badge.svg: a number as a picture. */
export function getBadge({ counters }: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    isShared: true,
    path: "/v1/videos/{videoId}/badge.svg",
    match: /^\/v1\/videos\/(.+)\/badge\.svg$/,
    query: badgeAsked,
    operation: {
      operationId: "getBadge",
      tag: "counters",
      summary: "The total of a type as an SVG badge",
      contentType: "image/svg+xml",
      problems: [400, 503],
    },
    async handle({ videoId, query }): Promise<Answer> {
      const total = (await counters.totals(videoId)).get(query.eventType)?.count ?? 0;
      const label = query.label ?? `${query.eventType.toLowerCase().replaceAll("_", " ")}s`;
      return text("image/svg+xml", badge(label, WHOLE.format(total)), PROVISIONAL_CACHE, EMBEDDED);
    },
  });
}

/** Pages of other origins may show the picture, which holds no script and no style that could reach them. */
const EMBEDDED = {
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
};

function badge(label: string, value: string): string {
  const [left, right] = [widthOf(label), widthOf(value)];
  const width = left + right;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${escaped(label)}: ${value}">
<title>${escaped(label)}: ${value}</title>
<clipPath id="r"><rect width="${width}" height="20" rx="4"/></clipPath>
<g clip-path="url(#r)"><rect width="${left}" height="20" fill="#3b4653"/><rect x="${left}" width="${right}" height="20" fill="#0f766e"/></g>
<g fill="#fff" font-family="system-ui,DejaVu Sans,Verdana,sans-serif" font-size="11" text-anchor="middle">
<text x="${left / 2}" y="14">${escaped(label)}</text><text x="${left + right / 2}" y="14">${value}</text></g>
</svg>
`;
}

const widthOf = (shown: string): number => Math.ceil(shown.length * CHARACTER_PX) + PADDING_PX;
