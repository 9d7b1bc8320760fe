// SPDX-License-Identifier: Apache-2.0
// k6 run -e URL=http://127.0.0.1:8080 [-e KEY=vm_...] [-e RATE=200] [-e SECONDS=60] load/k6.mjs Batches of 50 events at
// a fixed rate of requests, and readers beside them. For an operator who wants to load a service of their own.
import { check } from "k6";
import http from "k6/http";
import { Counter } from "k6/metrics";

const SERVICE = __ENV.URL || "http://127.0.0.1:8080";
const RATE = Number(__ENV.RATE || 100);
const DURATION = `${__ENV.SECONDS || 60}s`;
const BATCH = 50;
const VIDEOS = 500;
const headers = { "Content-Type": "application/json", ...(__ENV.KEY ? { Authorization: `Bearer ${__ENV.KEY}` } : {}) };
const run = Date.now().toString(36);

export const accepted = new Counter("viewmill_events_accepted");

const arrivals = (exec, rate) => ({
  executor: "constant-arrival-rate",
  exec,
  rate,
  timeUnit: "1s",
  duration: DURATION,
  preAllocatedVUs: 50,
  maxVUs: 500,
});

export const options = {
  scenarios: { write: arrivals("write", RATE), read: arrivals("read", Math.max(1, RATE / 10)) },
  thresholds: {
    "http_req_failed{scenario:write}": ["rate<0.001"],
    "http_req_duration{scenario:write}": ["p(99)<1000"],
    "http_req_duration{scenario:read}": ["p(99)<1000"],
    checks: ["rate>0.999"],
  },
};

export function write() {
  const now = Date.now();
  const events = Array.from({ length: BATCH }, (_, n) => ({
    eventId: `k6-${run}-${__VU}-${__ITER}-${n}`,
    videoId: `k6-${Math.floor(VIDEOS * Math.random() ** 2)}`,
    eventType: n % 10 === 0 ? "LIKE" : "VIEW",
    eventTime: now,
  }));
  const answer = http.post(`${SERVICE}/v1/events`, JSON.stringify(events), { headers });
  if (
    check(answer, { "202, all accepted": ({ status, body }) => status === 202 && JSON.parse(body).accepted === BATCH })
  )
    accepted.add(BATCH);
}

export function read() {
  const video = `k6-${Math.floor(VIDEOS * Math.random() ** 2)}`;
  const answers = http.batch([
    ["GET", `${SERVICE}/v1/videos/${video}`, null, { headers, tags: { name: "video" } }],
    ["GET", `${SERVICE}/v1/videos/${video}/counts`, null, { headers, tags: { name: "counts" } }],
    ["GET", `${SERVICE}/v1/top`, null, { headers, tags: { name: "top" } }],
  ]);
  for (const answer of answers) check(answer, { 200: ({ status }) => status === 200 });
}
