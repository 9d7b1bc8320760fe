// SPDX-License-Identifier: Apache-2.0
// The pictures of the documentation, drawn by the build. Colours come from the page's style sheet by class, so that
// they can be read in light and dark. site.mjs puts them into the pages.
const W = 720;

const text = (x, y, content, kind = "", anchor = "middle") =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" class="${kind}">${content}</text>`;
const box = (x, y, width, height, kind) =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" class="${kind}"/>`;
const dot = (x, y, kind) => `<circle cx="${x}" cy="${y}" r="6" class="${kind}"/>`;
const line = (x1, y1, x2, y2, kind = "axis") => `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="${kind}"/>`;
const arrow = (x1, y1, x2, y2) =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="arrow" marker-end="url(#head)"/>`;
const named = (x, y, width, label, kind = "part") => box(x, y, width, 40, kind) + text(x + width / 2, y + 25, label);

function eventTime() {
  const minutes = ["10:00", "10:01", "10:02", "10:03"];
  const windows = minutes.map(
    (minute, at) => box(40 + at * 160, 40, 154, 60, "window") + text(117 + at * 160, 34, minute),
  );
  const events = [
    [70, "good"],
    [130, "good"],
    [230, "good"],
    [300, "repeat"],
    [390, "good"],
    [560, "good"],
  ].map(([x, kind]) => dot(x, 70, kind));
  return [
    260,
    ...windows,
    ...events,
    text(40, 14, "windows of event time: when it happened", "quiet", "start"),
    line(40, 190, 680, 190),
    text(40, 212, "receipt: when the service was told", "quiet", "start"),
    arrow(70, 78, 90, 184),
    arrow(230, 78, 250, 184),
    arrow(390, 78, 410, 184),
    arrow(130, 78, 640, 184),
    text(654, 182, "late", "bad", "start"),
    text(300, 60, "sent twice", "quiet"),
    text(
      40,
      244,
      "A late event is counted in the minute in which it happened, not in the one in which it came.",
      "",
      "start",
    ),
  ];
}

function duplicate() {
  return [
    190,
    named(30, 30, 150, "client"),
    named(300, 30, 150, "service"),
    named(560, 30, 130, "counted: 1", "good-part"),
    arrow(180, 42, 296, 42),
    text(238, 34, "view-7", "quiet"),
    arrow(300, 60, 216, 60),
    text(206, 66, "✗", "bad"),
    text(238, 84, "answer lost", "quiet"),
    arrow(105, 70, 105, 120),
    named(30, 120, 150, "sends again"),
    `<path d="M180 140 H375 V74" class="arrow" marker-end="url(#head)"/>`,
    text(270, 132, "view-7, the same bytes", "quiet"),
    arrow(450, 50, 556, 50),
    text(540, 150, "the same id, video, type and minute:", "quiet"),
    text(540, 168, "the same event", "quiet"),
  ];
}

function states() {
  const all = [
    ["provisional", "may still grow", "open"],
    ["final", "the stream is through", "good-part"],
    ["audited", "recounted, equal", "good-part"],
    ["closed", "past raw retention", "part"],
  ];
  return [
    150,
    ...all.map(
      ([name, about, kind], at) => named(20 + at * 180, 40, 140, name, kind) + text(90 + at * 180, 100, about, "quiet"),
    ),
    ...all.slice(1).map((_, at) => arrow(160 + at * 180, 60, 196 + at * 180, 60)),
    text(360, 134, "an event that is accepted for a final bucket still counts, and raises its revision", "quiet"),
  ];
}

function books() {
  const part = (x, width, label, kind) => named(x, 110, width, label, kind);
  return [
    190,
    named(20, 30, 320, "accepted: answered 202", "good-part"),
    text(360, 55, "="),
    named(380, 30, 320, "archived: in the raw archive", "good-part"),
    text(20, 135, "=", "", "start"),
    part(45, 340, "counted"),
    text(400, 135, "+"),
    part(415, 140, "duplicate"),
    text(570, 135, "+"),
    part(585, 115, "late", "open"),
    text(360, 178, "for every minute of event time; a minute whose sides differ is shown, and alerts", "quiet"),
  ];
}

function audit() {
  return [
    220,
    named(20, 80, 120, "events"),
    named(200, 30, 160, "stream"),
    named(430, 30, 130, "counters", "good-part"),
    named(200, 130, 160, "raw archive"),
    named(430, 130, 130, "recount", "good-part"),
    arrow(140, 92, 196, 56),
    arrow(140, 108, 196, 146),
    arrow(360, 50, 426, 50),
    arrow(360, 150, 426, 150),
    box(600, 76, 110, 48, "window"),
    text(655, 106, "equal?"),
    arrow(560, 56, 610, 80),
    arrow(560, 146, 610, 122),
    text(
      20,
      200,
      "Two programs that share no counting code; where they differ, the recount corrects.",
      "quiet",
      "start",
    ),
  ];
}

const PICTURES = { "event-time": eventTime, duplicate, states, books, audit };

/** Throws for an unknown picture. */
export function picture(name, label) {
  const [height, ...parts] = PICTURES[name]();
  return `<svg class="picture" viewBox="0 0 ${W} ${height}" role="img" aria-label="${label}"><defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="head"/></marker></defs>${parts.join("")}</svg>`;
}
