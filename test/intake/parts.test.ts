// SPDX-License-Identifier: Apache-2.0
/** The parts of the intake, each by itself: headers, receipts, lines, blocks, slices of JSON, types. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { eventAt } from "../../domain/columns/event-columns";
import { EVENT_FIELD_NAMES, type VideoEvent } from "../../domain/event";
import { ACCEPTED_TYPES, contentOf } from "../../intake/content";
import { inflateMessage } from "../../intake/inflate-message";
import { isCloudEvent, isJsonMediaType } from "../../intake/json/cloud-event";
import { extraJson, extraProblem, oversizedName } from "../../intake/json/extra-fields";
import { elementSlices, memberText, utf8Text, withoutBom } from "../../intake/json/json-text";
import { NumbersOfBody, NumbersOfTexts } from "../../intake/json/number-texts";
import { jsonErrorDetail, parseJson } from "../../intake/json/parse-json";
import { KnownEventTypes, settled, unknownTypes } from "../../intake/known-types";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { lineBlocks } from "../../intake/line-blocks";
import { linesOf } from "../../intake/lines";
import { ingestProducer, MAX_CLOCK_DIFFERENCE_MS, receiptOf } from "../../intake/receipt";
import { takeBody } from "../../intake/take-body";
import { takeLines } from "../../intake/take-lines";
import { takeMessage } from "../../intake/take-message";
import type { IntakeRules, Taken } from "../../intake/taken";
import { encodeBatch } from "../../io/formats/avro/batch";
import { columnsOf, T0 } from "../domain/model";

const bytes = (text: string) => Buffer.from(text);
const BATCH = { receivedAtMs: 0, producerId: "p", batchId: "b" };
const RULES: IntakeRules = {
  ...{ receivedAtMs: T0, rawRetentionMs: Number.POSITIVE_INFINITY, limits: CONTRACT_LIMITS },
  untimed: { kind: "receipt" },
};

const plain = (format: string, encoding = "identity") => ({ content: { format, encoding } });
const JSON_TYPE = { "content-type": "application/json" };
const TAKEN: [Record<string, string | string[]>, object][] = [
  [JSON_TYPE, plain("json")],
  [{ "content-type": " Application/JSON ; charset=UTF-8" }, plain("json")],
  [{ "content-type": 'application/json; charset="us-ascii"' }, plain("json")],
  [{ "content-type": "application/json; a=b; charset=utf8" }, plain("json")],
  [{ "content-type": "application/json; charset=" }, plain("json")],
  [{ "content-type": 'application/json; charset = "utf-8" ' }, plain("json")],
  [{ "content-type": 'application/json; charset=""' }, plain("json")],
  [{ "content-type": "application/json; charsets=latin1; charset" }, plain("json")],
  [{ "content-type": "text/plain" }, plain("json")],
  [{ "content-type": "application/x-ndjson" }, plain("ndjson")],
  [{ "content-type": "application/cloudevents+json" }, plain("cloudevent")],
  [{ "content-type": "application/cloudevents-batch+json" }, plain("cloudevents-batch")],
  [{ "content-type": "application/vnd.viewmill.batch+avro" }, plain("batch")],
  [{ ...JSON_TYPE, "content-encoding": "" }, plain("json")],
  [{ ...JSON_TYPE, "content-encoding": " Identity " }, plain("json")],
  [{ ...JSON_TYPE, "content-encoding": "gzip" }, plain("json", "gzip")],
  [{ ...JSON_TYPE, "content-encoding": "X-GZIP" }, plain("json", "gzip")],
  [{ ...JSON_TYPE, "content-encoding": "zstd" }, plain("json", "zstd")],
  [{ "content-type": "application/cloudevents+json", "ce-id": "x" }, plain("cloudevent")],
  [
    {
      ...JSON_TYPE,
      "ce-id": "a%20b",
      "ce-specversion": "1.0",
      "ce-data": "x",
      "ce-": "y",
      "x-ce-a": "z",
      "ce-k9": "%zz",
    },
    {
      content: {
        ...{ format: "cloudevent-binary", encoding: "identity", dataType: "application/json" },
        attributes: { id: "a b", specversion: "1.0", k9: "%zz" },
      },
    },
  ],
  [
    { "content-type": "text/plain", "ce-specversion": ["1.0", "2"] },
    {
      content: {
        ...{ format: "cloudevent-binary", encoding: "identity", dataType: "application/json" },
        attributes: { specversion: "1.0, 2" },
      },
    },
  ],
  [
    { "content-length": "0", "ce-id": "x", "content-encoding": "gzip" },
    { content: { format: "cloudevent-binary", encoding: "gzip", dataType: "", attributes: { id: "x" } } },
  ],
  ...[{ "ce-id": "x" }, { "ce-specversion": "1.0" }].map((one): [Record<string, string>, object] => [
    { ...JSON_TYPE, ...one },
    {
      content: {
        ...{ format: "cloudevent-binary", encoding: "identity", dataType: "application/json" },
        attributes: Object.fromEntries(Object.entries(one).map(([name, value]) => [name.slice(3), value])),
      },
    },
  ]),
  [
    { "content-type": "a/b+json", "ce-id": "x" },
    { content: { format: "cloudevent-binary", encoding: "identity", dataType: "a/b+json", attributes: { id: "x" } } },
  ],
];

describe("the headers of a body", () => {
  test.each(TAKEN)("%j is taken", (headers, content) => {
    expect(contentOf(headers)).toEqual(content);
  });

  test.each<[Record<string, string>, string]>([
    [{}, `Content-Type is missing; send one of ${ACCEPTED_TYPES}`],
    [{ "content-type": "" }, `Content-Type is missing; send one of ${ACCEPTED_TYPES}`],
    [{ "content-type": "text/html" }, `text/html is not accepted; send one of ${ACCEPTED_TYPES}`],
    [{ "content-type": "__proto__" }, `__proto__ is not accepted; send one of ${ACCEPTED_TYPES}`],
    [{ "content-type": "x".repeat(200) }, `${"x".repeat(100)} is not accepted; send one of ${ACCEPTED_TYPES}`],
    [{ "content-type": "application/json; charset=latin1" }, "charset latin1 is not accepted; JSON is UTF-8"],
    [{ "content-type": "application/json; charset=utf-16" }, "charset utf-16 is not accepted; JSON is UTF-8"],
    [{ "content-type": 'application/json; charset="latin1"' }, "charset latin1 is not accepted; JSON is UTF-8"],
    [{ "content-type": "application/json; charset=a=b" }, "charset a=b is not accepted; JSON is UTF-8"],
    [{ "content-type": "application/json;charset=xutf-8" }, "charset xutf-8 is not accepted; JSON is UTF-8"],
    [{ "content-type": "application/json;charset=utf-8x" }, "charset utf-8x is not accepted; JSON is UTF-8"],
    [{ "content-type": 'application/json;charset="utf-8' }, 'charset "utf-8 is not accepted; JSON is UTF-8'],
    [{ "content-type": 'application/json;charset=utf-8"' }, 'charset utf-8" is not accepted; JSON is UTF-8'],
    [{ "content-type": 'application/json;charset="' }, 'charset " is not accepted; JSON is UTF-8'],
    [
      { "content-type": `application/json;charset=${"y".repeat(60)}` },
      `charset ${"y".repeat(40)} is not accepted; JSON is UTF-8`,
    ],
    [{ ...JSON_TYPE, "content-encoding": "br" }, "Content-Encoding must be one of gzip, zstd, identity"],
    [{ ...JSON_TYPE, "content-encoding": "gzip, gzip" }, "Content-Encoding must be one of gzip, zstd, identity"],
    [
      { "content-type": "text/html", "ce-id": "x" },
      "text/html is not accepted; the data of a CloudEvent in binary mode must be JSON",
    ],
    [{ "ce-id": "x" }, "Content-Type is missing; the data of a CloudEvent in binary mode must be JSON"],
    [
      { "content-type": "text/html", "content-length": "0", "ce-id": "x" },
      "text/html is not accepted; the data of a CloudEvent in binary mode must be JSON",
    ],
  ])("%j is not supported, and says why", (headers, unsupported) => {
    expect(contentOf(headers)).toEqual({ unsupported });
  });

  test("a media type of JSON is known by its suffix", () => {
    for (const type of ["application/json", "TEXT/json", " a/b+json ; charset=x"])
      expect(isJsonMediaType(type)).toBe(true);
    for (const type of ["json", "xapplication/json", "application/jsonx", "a/b+json5", "", "text/plain"])
      expect(isJsonMediaType(type)).toBe(false);
  });

  test("a CloudEvent is an object with a specversion and no eventId", () => {
    expect(isCloudEvent({ specversion: null })).toBe(true);
    for (const none of [null, [], "specversion", {}, { specversion: "1.0", eventId: 1 }, undefined])
      expect(isCloudEvent(none)).toBe(false);
  });
});

describe("the receipt of a batch", () => {
  const of = (receivedAtMs: number, producerId: string) => receiptOf({ receivedAtMs, producerId }, T0);
  test("is what the write API says, whenever; for others what they say within ten minutes of the append", () => {
    for (const producerId of ["ingest", "ingest/player"]) {
      expect(of(1, producerId)).toEqual({ receivedAtMs: 1, alreadyAccepted: true });
      expect(of(0, producerId)).toEqual({ receivedAtMs: T0, alreadyAccepted: false });
    }
    expect(MAX_CLOCK_DIFFERENCE_MS).toBe(600_000);
    for (const producerId of ["", "player", "ingestion", "an/ingest"]) {
      for (const ms of [-600_000, 0, 600_000])
        expect(of(T0 + ms, producerId)).toEqual({ receivedAtMs: T0 + ms, alreadyAccepted: false });
      for (const ms of [-600_001, 600_001, -T0])
        expect(of(T0 + ms, producerId)).toEqual({ receivedAtMs: T0, alreadyAccepted: false });
    }
  });

  test("names the write API, with the client's own id behind it, once", () => {
    expect([ingestProducer(), ingestProducer(""), ingestProducer("ingest")]).toEqual(["ingest", "ingest", "ingest"]);
    expect(["player", "ingest/player", "ingestion"].map(ingestProducer)).toEqual([
      ...["ingest/player", "ingest/player", "ingest/ingestion"],
    ]);
  });
});

describe("lines", () => {
  const read = (text: string, ...more: number[]) =>
    linesOf(bytes(text), ...more).map(({ number, bytes: line }) => [number, line.toString()]);
  test.each<[string, [number, string][]]>([
    ["", []],
    ["a", [[1, "a"]]],
    ["a\n", [[1, "a"]]],
    ["\n\r\n \t\r\na\r\n", [[4, "a"]]],
    ["a\r", [[1, "a"]]],
    ["a\r\r\n", [[1, "a\r"]]],
    ["\ra\n", [[1, "\ra"]]],
    [
      "\ufeffa\n\ufeff\nb",
      [
        [1, "a"],
        [3, "b"],
      ],
    ],
    ["\v\n", [[1, "\v"]]],
    ["\r\r\n \r\t\n", []],
  ])("of %j", (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test("have the numbers that are asked for, and are no more than one beyond the bound", () => {
    expect(read("a\n\nb\nc\nd", 7, 2)).toEqual([
      [7, "a"],
      [9, "b"],
      [10, "c"],
    ]);
    expect(read("a\nb", 1, 0)).toEqual([[1, "a"]]);
  });
});

describe("blocks of lines", () => {
  async function blocks(chunks: string[], maxLines = 2, maxLineBytes = 4) {
    async function* input() {
      for (const chunk of chunks) yield bytes(chunk);
    }
    const found: [number, string, string][] = [];
    for await (const block of lineBlocks(input(), { maxLines, maxLineBytes }))
      found.push(
        "oversize" in block
          ? [block.firstLine, "oversize", block.oversize.toString()]
          : [block.firstLine, "lines", block.bytes.toString()],
      );
    return found;
  }
  test.each<[string[], [number, string, string][]]>([
    [[], []],
    [[""], []],
    [["a"], [[1, "lines", "a"]]],
    [
      ["a\n", "b\n"],
      [
        [1, "lines", "a\n"],
        [2, "lines", "b\n"],
      ],
    ],
    [
      ["a\nb\nc\nd\ne"],
      [
        [1, "lines", "a\nb\n"],
        [3, "lines", "c\nd\n"],
        [5, "lines", "e"],
      ],
    ],
    [
      ["a\nb\nc\n"],
      [
        [1, "lines", "a\nb\n"],
        [3, "lines", "c\n"],
      ],
    ],
    [
      ["a", "b\nc", "d"],
      [
        [1, "lines", "ab\n"],
        [2, "lines", "cd"],
      ],
    ],
    [["\na\n"], [[1, "lines", "\na\n"]]],
    [
      ["a", "\n", "b", "\n", "c", "\n"],
      [
        [1, "lines", "a\n"],
        [2, "lines", "b\n"],
        [3, "lines", "c\n"],
      ],
    ],
    [["1234"], [[1, "lines", "1234"]]],
    [["12345"], [[1, "oversize", "12345"]]],
    [
      ["a\n12345", "678", "9\nb"],
      [
        [1, "lines", "a\n"],
        [2, "oversize", "12345"],
        [3, "lines", "b"],
      ],
    ],
    [
      ["12345", "6\n", "b\n"],
      [
        [1, "oversize", "12345"],
        [2, "lines", "b\n"],
      ],
    ],
    [
      ["123", "45", "\nb"],
      [
        [1, "oversize", "12345"],
        [2, "lines", "b"],
      ],
    ],
    [["12345", "6"], [[1, "oversize", "12345"]]],
  ])("of %j", async (chunks, expected) => {
    expect(await blocks(chunks)).toEqual(expected);
  });

  test("keep 64 KiB of a line that is too long", async () => {
    const [[, , kept]] = (await blocks(["x".repeat(200_000)])) as [[number, string, string]];
    expect(kept).toHaveLength(64 << 10);
  });
});

describe("texts of JSON", () => {
  const value = fc.jsonValue({ maxDepth: 3, noUnicodeString: false });
  const spaced = (json: string) => json.replaceAll(/([[\]{},:])(?=(?:[^"\\]|\\.|"(?:[^"\\]|\\.)*")*$)/g, " $1\n\t");

  test("elements of an array are their own bytes, of a member as well, the last of its name", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.boolean(), (list, isSpaced) => {
        const texts = list.map((each) => JSON.stringify(each));
        const written = `[${texts.join(",")}]`;
        const array = isSpaced ? spaced(written) : written;
        expect(elementSlices(bytes(array)).map((each) => JSON.parse(each.toString()))).toEqual(
          texts.map((each) => JSON.parse(each)),
        );
        const object = `{"events":[0],"x\\"]":[1,{"events":5}] , "ev\\u0065nts" :${array}, "y":"}"}`;
        expect(elementSlices(bytes(object), "events").map(String)).toEqual(elementSlices(bytes(array)).map(String));
      }),
    );
  });

  test.each<[string, string[], string | undefined]>([
    ['{"a":1.50}', ["a"], "1.50"],
    [' {"a" : 1e2 , "b":2}', ["a"], "1e2"],
    ['{"a":1,"a":2}', ["a"], "2"],
    ['{"b":{"a":1},"a":{"b":"x,}"}}', ["a", "b"], '"x,}"'],
    ['{"a":[1,{"b":2}],"b":-3}', ["b"], "-3"],
    ['{"a":"\\\\\\"","b":4}', ["b"], "4"],
    ['{"a":{"b":1},"b":2}', ["a", "b"], "1"],
    ['{"a":1}', ["b"], undefined],
    ['{"a":1}', ["a", "b"], undefined],
    ["[1]", ["0"], undefined],
    ['{"a":{}}', ["a"], "{}"],
    ["5", [], "5"],
    ["\r\n\t 5 ", [], "5"],
  ])("of %s the member %j is %j", (json, path, expected) => {
    expect(memberText(bytes(json), path)).toBe(expected);
  });

  test("are UTF-8, without a mark", () => {
    expect([utf8Text(bytes("a")), utf8Text(bytes("é")), utf8Text(Buffer.of(0x61, 0xff))]).toEqual([
      "a",
      "é",
      undefined,
    ]);
    expect(withoutBom(bytes("\ufeffa")).toString()).toBe("a");
    for (const other of [[0xef], [0xef, 0xbb], [0xef, 0xbb, 0xbe], [0xef, 0xbc, 0xbf], [0xee, 0xbb, 0xbf]])
      expect(withoutBom(Buffer.from(other))).toHaveLength(other.length);
    expect(parseJson(bytes("[1]"))).toEqual({ ok: true, value: [1] });
    expect(parseJson(Buffer.alloc(0))).toEqual({ ok: false, detail: "the body is empty" });
    expect(parseJson(Buffer.of(0xff))).toEqual({ ok: false, detail: "the text is not valid UTF-8" });
    expect(jsonErrorDetail(new Error(`a\u0000b${"x".repeat(300)}`))).toBe(`a b${"x".repeat(197)}`);
    expect(jsonErrorDetail("words")).toBe("words");
  });

  test.each<[string, number, string | undefined]>([
    ['{"value":5}', 5, undefined],
    ['{"value":4.9999999999999999}', 5, "4.9999999999999999"],
    ['{"value":9007199254740991.4}', 9007199254740991, "9007199254740991.4"],
    ['{"value":12345678.0000000001}', 12345678, "12345678.0000000001"],
    ['{"value":0.0}', 0, "0.0"],
    ['{"value":1e-400}', 0, "1e-400"],
    ['{"value":1E-400}', 0, "1E-400"],
    ['{"value":0}', 0, undefined],
    ['{"x":4.9999999999999999,"value":5}', 5, undefined],
    ['{"v\\u0061lue":4.9999999999999999}', 5, "4.9999999999999999"],
    ['{"value" : -4.9999999999999999}', -5, "-4.9999999999999999"],
    ['{"value":1.5}', 1.5, undefined],
  ])("the number of %s", (json, number, expected) => {
    const found = new NumbersOfTexts([bytes(json)]).doubtfulText(number, 0, ["value"]);
    expect(found).toBe(expected);
    const body = bytes(`[${json}]`);
    expect(new NumbersOfBody(body, () => elementSlices(body)).doubtfulText(number, 0, ["value"])).toBe(expected);
  });
});

describe("unknown fields and long names", () => {
  test("are refused beyond their bounds, to the byte", () => {
    const text = (length: number) => `{"a":"${"x".repeat(length - 8)}"}`;
    expect(extraProblem(text(64), 64)).toBeUndefined();
    expect(extraProblem(text(65), 64)).toBe("the unknown fields are larger than 64 bytes");
    expect(extraProblem(`{"a":"${"é".repeat(28)}"}`, 64)).toBeUndefined();
    expect(extraProblem(`{"a":"${"é".repeat(29)}"}`, 64)).toBe("the unknown fields are larger than 64 bytes");
    const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    expect(extraProblem(nested(64), 1_000)).toBeUndefined();
    expect(extraProblem(nested(65), 1_000)).toBe("unknown fields are nested deeper than 64 levels");
    expect(extraProblem(undefined, 1_000)).toBe("unknown fields are nested deeper than 64 levels");
    expect(oversizedName(["x".repeat(63), undefined, 5], 64)).toBeUndefined();
    expect(oversizedName([5, "x".repeat(64)], 64)).toBe("the event is larger than 64 bytes");
    expect(oversizedName(["é".repeat(32)], 64)).toBe("the event is larger than 64 bytes");
    expect(oversizedName(["é".repeat(31)], 64)).toBeUndefined();
  });

  test("that nest so deep that they cannot be written are none", () => {
    let deep: Record<string, unknown> = {};
    for (let n = 0; n < 100_000; n++) deep = { deep };
    expect(extraJson(deep)).toBeUndefined();
    expect(extraJson({ a: 1 })).toBe('{"a":1}');
  });
});

describe("a compressed message", () => {
  test("is known by its first bytes, and is as large as it may be", () => {
    const plain = bytes("[]".repeat(50));
    for (const [payload, encoding] of [
      [gzipSync(plain), "gzip"],
      [zstdCompressSync(plain), "zstd"],
    ] as const) {
      expect(inflateMessage(payload, 100)).toEqual({ kind: "bytes", bytes: plain });
      expect(inflateMessage(payload, 99)).toEqual({
        ...{ kind: "problem", reason: "too-large", detail: "the message holds more than 99 bytes" },
        ...{ payload, contentType: `application/${encoding}` },
      });
      const cut = payload.subarray(0, -2);
      expect(inflateMessage(cut, 100)).toMatchObject({
        ...{ kind: "problem", reason: "not-json", payload: cut, contentType: `application/${encoding}` },
        detail: expect.stringMatching(new RegExp(`^the message is no ${encoding}: .`)),
      });
    }
    for (const other of [plain, Buffer.of(0x1f), Buffer.of(0x1f, 0x8c), Buffer.of(0x1e, 0x8b), Buffer.alloc(0)])
      expect(inflateMessage(other, 1)).toEqual({ kind: "bytes", bytes: other });
  });
});

describe("a message of the log", () => {
  const kindOf = (payload: Uint8Array, appendedAtMs?: number) => takeMessage(payload, appendedAtMs);
  test("is JSON behind white space and a mark, and a batch in any other case", () => {
    const event = '{"eventId":"a","videoId":"v","eventType":"VIEW"}';
    for (const before of ["", " ", "\t\n\r ", "\ufeff", "\ufeff "])
      expect(kindOf(bytes(`${before}[${event}]`), T0)).toMatchObject({ kind: "events", columns: { count: 1 } });
    for (const before of ["x", "\u0008", "\u000e", "!"])
      expect(kindOf(bytes(`${before}${event}`), T0)).toMatchObject({ reason: "not-avro" });
    expect(kindOf(bytes(""), T0)).toMatchObject({ kind: "problem", reason: "not-avro" });
    expect(kindOf(bytes("  "), T0)).toMatchObject({ kind: "problem", reason: "not-avro" });
  });

  test("is refused whole, as it came, also where it was compressed", () => {
    const payload = gzipSync(bytes("{oops"));
    const refused = kindOf(payload, T0);
    expect(refused).toMatchObject({ kind: "problem", reason: "not-json", contentType: "application/json" });
    if (refused.kind === "problem") expect(Buffer.from(refused.payload).equals(payload)).toBe(true);
    const cut = payload.subarray(0, -2);
    expect(kindOf(cut, T0)).toMatchObject({ reason: "not-json", contentType: "application/gzip", payload: cut });
  });

  test("has bounds for its JSON, in bytes and in events", () => {
    const two = '[{"eventId":"a","videoId":"v","eventType":"VIEW"},{"eventId":"b","videoId":"v","eventType":"VIEW"}]';
    const taken = (limits: Partial<typeof CONTRACT_LIMITS>) =>
      takeMessage(bytes(two), T0, { limits: { ...CONTRACT_LIMITS, ...limits } });
    expect(taken({ maxMessageBytes: two.length, maxEvents: 2 })).toMatchObject({ columns: { count: 2 } });
    expect(taken({ maxMessageBytes: two.length - 1 })).toMatchObject({
      ...{ reason: "too-large", detail: `JSON events of more than ${two.length - 1} bytes in one message` },
    });
    expect(taken({ maxEvents: 1 })).toMatchObject({
      ...{ reason: "too-large", detail: "a body or message holds at most 1 events" },
    });
  });

  test("of the write API alone is believed where the log has no append times", () => {
    const event = { eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: T0 };
    const payload = encodeBatch(columnsOf([event]), { receivedAtMs: 5, producerId: "anyone", batchId: "b" });
    const read = takeMessage(payload, undefined, { admitsType: () => false });
    expect(read).toMatchObject({ kind: "events", receivedAtMs: 5, alreadyAccepted: true, batchId: "b", rejected: [] });
    expect(takeMessage(payload, T0, { admitsType: () => false })).toMatchObject({
      ...{ receivedAtMs: T0, alreadyAccepted: false, producerId: "anyone", rejected: [{ reason: "bad-event-type" }] },
    });
  });
});

describe("bodies", () => {
  const take = (body: string, format: string, rules: Partial<IntakeRules> = {}): Taken =>
    takeBody(bytes(body), { format, encoding: "identity" } as never, { ...RULES, ...rules });
  const EVENT = '{"eventId":"a","videoId":"v","eventType":"VIEW"}';
  const CLOUD = '{"specversion":"1.0","id":"a","source":"s","subject":"v","type":"VIEW"}';

  test.each<[string, string, string, string]>([
    ["json", "5", "missing-field", 'the body must be an event, an array of events or {"events": [...]}'],
    ["json", "null", "missing-field", 'the body must be an event, an array of events or {"events": [...]}'],
    ["cloudevent", `[${CLOUD}]`, "missing-field", "the body must be one CloudEvent"],
    ["cloudevent", "null", "missing-field", "the body must be one CloudEvent"],
    ["cloudevent", "5", "missing-field", "the body must be one CloudEvent"],
    ["cloudevents-batch", CLOUD, "missing-field", "the body must be an array of CloudEvents"],
  ])("%s of %s is refused whole", (format, body, reason, detail) => {
    expect(take(body, format)).toMatchObject({ kind: "problem", reason, detail, payload: bytes(body) });
  });

  test.each([
    ["json", EVENT, 1],
    ["json", `{"events":[${EVENT},${EVENT}]}`, 2],
    ["json", `[${EVENT},${CLOUD}]`, 2],
    ["json", `\ufeff${CLOUD}`, 1],
    ["json", `{"specversion":"1.0","id":"a","source":"s","subject":"v","type":"VIEW","events":[1]}`, 1],
    ["json", `{"eventId":"a","videoId":"v","eventType":"VIEW","events":[1]}`, 1],
    ["ndjson", `${EVENT}\n\n${CLOUD}`, 2],
    ["cloudevent", CLOUD, 1],
    ["cloudevents-batch", `[${CLOUD},${CLOUD}]`, 2],
  ])("%s of %s holds events", (format, body, count) => {
    expect(take(body, format)).toMatchObject({ kind: "events", columns: { count }, rejected: [], receivedAtMs: T0 });
  });

  test.each(["json", "ndjson", "cloudevents-batch"])("%s holds as many events as the bound, and no more", (format) => {
    const one = format === "cloudevents-batch" ? CLOUD : EVENT;
    const body = (n: number) => {
      const all = Array(n).fill(one);
      return format === "ndjson" ? all.join("\n") : `[${all.join(",")}]`;
    };
    const limits = { ...CONTRACT_LIMITS, maxEvents: 3 };
    expect(take(body(3), format, { limits })).toMatchObject({ columns: { count: 3 } });
    expect(take(body(4), format, { limits })).toMatchObject({
      ...{ reason: "too-large", detail: "a body or message holds at most 3 events" },
    });
  });

  test("events without a time are stamped, given the receipt, or refused with the field's own name", () => {
    const stamped: string[] = [];
    const stamp: IntakeRules["untimed"] = {
      kind: "stamp",
      stampOf: (key) => {
        stamped.push(key);
        return { key, stampedAtMs: 77 };
      },
    };
    const taken = take(`[${EVENT.replace("}", ',"eventTime":5}')},${EVENT}]`, "json", { untimed: stamp });
    expect(taken).toMatchObject({ stampedRows: [1], stamps: [{ stampedAtMs: 77 }] });
    if (taken.kind === "events") expect([...taken.columns.timesMs]).toEqual([5, 77]);
    expect(stamped).toEqual(["a\0v\0VIEW"]);
    const full: IntakeRules["untimed"] = { kind: "stamp", stampOf: () => undefined };
    expect(take(`[${EVENT}]`, "json", { untimed: full })).toEqual({ kind: "stamps-full" });
    const refuse: IntakeRules["untimed"] = { kind: "refuse", detail: "no time" };
    expect(take(`[${EVENT},${CLOUD}]`, "json", { untimed: refuse })).toMatchObject({
      columns: { count: 0 },
      rejected: [
        {
          reason: "missing-field",
          detail: `${EVENT_FIELD_NAMES.eventTime} is missing: no time`,
          payload: bytes(EVENT),
        },
        { reason: "missing-field", detail: "time is missing: no time", contentType: "application/cloudevents+json" },
      ],
    });
  });

  test("of a batch the refused rows become events of their own, in their order; a batch without any stays as it is", () => {
    const plain = { eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: T0 };
    const batch = (events: Parameters<typeof columnsOf>[0]) => encodeBatch(columnsOf(events), BATCH);
    const content = { format: "batch", encoding: "identity" } as const;
    const good = batch([plain, { ...plain, extra: { note: "x" } }]);
    expect(takeBody(good, content, RULES)).toMatchObject({
      ...{ message: good, columns: { count: 2 }, rejected: [], stamps: [], stampedRows: [], producerId: "p" },
    });
    let deep: unknown = 1;
    for (let n = 0; n < 70; n++) deep = [deep];
    const bad: VideoEvent[] = [
      { ...plain, eventId: "b", extra: { deep } },
      { ...plain, eventId: "c", videoId: "no video" },
      { ...plain, eventId: "d", videoId: "no video", extra: { deep } },
    ];
    const taken = takeBody(batch([...bad, plain]), content, RULES);
    if (taken.kind !== "events") throw new Error(taken.kind);
    expect([taken.columns.count, taken.message, taken.stampedRows]).toEqual([1, undefined, []]);
    expect(taken.rejected.map(({ index, eventId, reason }) => [index, eventId, reason])).toEqual([
      [0, "b", "too-large"],
      [1, "c", "bad-video-id"],
      [2, "d", "bad-video-id"],
    ]);
    for (const [n, { payload, contentType }] of taken.rejected.entries()) {
      const { eventTimeMs, extra, ...event } = bad[n]!;
      expect(JSON.parse(Buffer.from(payload).toString())).toEqual({ ...event, eventTime: eventTimeMs, ...extra });
      expect(contentType).toBe("application/json");
    }
  });

  test("lines are read in their own encoding, and a long one that nests too deep is refused alone", () => {
    const note = (text: string) => EVENT.replace("}", `,"note":${text}}`);
    for (const text of ["é", "e"]) {
      const taken = take(`${note(`"${text}"`)}\n${note('"x"')}`, "ndjson");
      if (taken.kind !== "events") throw new Error(taken.kind);
      expect(eventAt(taken.columns, 0).extra).toEqual({ note: text });
    }
    const deep = note(`${"[".repeat(600)}"${"x".repeat(300_000)}"${"]".repeat(600)}`);
    expect(take(`${deep}\n${EVENT}`, "ndjson")).toMatchObject({
      columns: { count: 1 },
      rejected: [{ index: 0, reason: "not-json", detail: "the JSON is nested deeper than 500 levels" }],
    });
  });

  test("a value that is no object is refused alone, as an event and as a line", () => {
    const values = ["null", "5", '"x"', "[1]", "true"];
    const rejected = values.map((text, index) => ({
      index,
      eventId: null,
      reason: "missing-field",
      payload: bytes(text),
    }));
    expect(take(`[${values}]`, "json")).toMatchObject({ columns: { count: 0 }, rejected });
    expect(take(values.join("\n"), "ndjson")).toMatchObject({ columns: { count: 0 }, rejected });
    // An object whose events are no list is itself an event.
    const object = '{"events":5}';
    expect(take(object, "json")).toMatchObject({
      ...{ columns: { count: 0 }, rejected: [{ detail: "eventId is missing", payload: bytes(object) }] },
    });
  });

  test("a line that is no JSON, or no UTF-8, is refused alone, whatever is known of the others", () => {
    const lines = [bytes(EVENT), bytes("{oops"), Buffer.of(0x22, 0xff, 0x22), bytes("é")];
    const { rejected } = takeLines(lines, RULES) as Extract<Taken, { kind: "events" }>;
    expect(rejected.map(({ index, reason, detail }) => [index, reason, detail.slice(0, 26)])).toMatchObject([
      [1, "not-json", expect.any(String)],
      [2, "not-json", "the line is not valid UTF-"],
      [3, "not-json", expect.any(String)],
    ]);
    expect(rejected.map(({ payload, contentType }) => [payload, contentType])).toEqual(
      [1, 2, 3].map((n) => [lines[n], "application/x-ndjson"]),
    );
  });

  test("a name that leaves no room for its event makes the event too large, in JSON and in a batch", () => {
    const limits = { ...CONTRACT_LIMITS, maxEventBytes: 200 };
    const long = "v".repeat(200);
    expect(take(EVENT.replace('"v"', `"${long}"`), "json", { limits })).toMatchObject({
      rejected: [{ reason: "too-large", detail: "the event is larger than 200 bytes", eventId: "a" }],
    });
    expect(take(EVENT.replace("}", `,"note":"${long}"}`), "json", { limits })).toMatchObject({
      rejected: [{ reason: "too-large", detail: "the unknown fields are larger than 200 bytes", eventId: "a" }],
    });
    const plain = { eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: T0 };
    const batch = (more: object) => encodeBatch(columnsOf([plain, { ...plain, ...more }]), BATCH);
    for (const more of [{ eventId: long }, { videoId: long }, { eventType: long }, { extra: { note: long } }]) {
      const taken = takeBody(batch(more), { format: "batch", encoding: "identity" }, { ...RULES, limits });
      expect(taken).toMatchObject({
        columns: { count: 1 },
        rejected: [
          {
            index: 1,
            reason: "too-large",
            detail: `the ${"extra" in more ? "unknown fields are" : "event is"} larger than 200 bytes`,
          },
        ],
      });
    }
    const one = { ...RULES, limits: { ...limits, maxEvents: 1 } };
    expect(takeBody(batch({}), { format: "batch", encoding: "identity" }, one)).toMatchObject({
      ...{ kind: "problem", reason: "too-large", detail: "a body or message holds at most 1 events" },
    });
    // Only a large text is looked through before it is parsed.
    const deep = EVENT.replace("}", `,"note":${"[".repeat(600)}${"]".repeat(600)}}`);
    expect(take(deep, "json")).toMatchObject({
      rejected: [{ reason: "too-large", detail: "unknown fields are nested deeper than 64 levels" }],
    });
    // A batch that the write API has accepted stays accepted, whatever the reader's limits are.
    const read = { maxEvents: 1, maxEventBytes: 200 };
    const accepted = takeMessage(batch({ extra: { note: long } }), undefined, { limits: { ...limits, ...read } });
    expect(accepted).toMatchObject({ columns: { count: 2 }, rejected: [] });
  });

  test.each<[string, string, boolean]>([
    [`,"eventTime":"2026-11-21T10:00:00Z","value":5.0000000000000000`, "", true],
    [`,"eventTime":${T0}.0000000`, "", true],
    [`,"eventTime":${T0}.00000000000000001`, "bad-event-time", true],
    [`,"time":"2026-11-21T10:00:00Z","data":{"value":5.0000000000000000}`, "", false],
    [`,"time":${T0}.0000000`, "bad-event-time", false],
    [`,"time":${T0}.00000000000000001`, "bad-event-time", false],
  ])("the text of one number says nothing of another member: %s", (members, reason, isOurs) => {
    const text = (isOurs ? EVENT : CLOUD).replace("}", `${members}}`);
    const expected = reason === "" ? { columns: { count: 1 } } : { rejected: [{ reason }] };
    for (const body of [text, `[${text}]`]) expect(take(body, "json")).toMatchObject(expected);
  });
});

describe("the types of a deployment", () => {
  const taken = (types: string[], more: object = {}) => {
    const events = types.map((eventType, n) => ({ eventId: `${n}`, videoId: "v", eventType, eventTimeMs: T0 }));
    return { kind: "events", alreadyAccepted: false, columns: columnsOf(events), ...more } as unknown as Taken;
  };
  const admitting = (all: string[]) => ({ admit: async () => new Set(all) });

  test("that are not known are those of accepted events of others", async () => {
    const known = new KnownEventTypes(admitting(["A"]), 2);
    expect([known.has("A"), known.admits("A")]).toEqual([false, true]);
    await known.settle(["A"]);
    expect([known.has("A"), known.admits("A"), known.admits("B")]).toEqual([true, true, true]);
    expect(unknownTypes(taken(["A", "B", "B", "C"]), known)).toEqual(["B", "C"]);
    expect(unknownTypes(taken(["A"]), known)).toEqual([]);
    expect(unknownTypes(taken(["B"], { alreadyAccepted: true }), known)).toEqual([]);
    expect(unknownTypes({ kind: "stamps-full" }, known)).toEqual([]);
    const full = new KnownEventTypes(admitting(["A"]), 1);
    await full.settle([]);
    expect([full.admits("A"), full.admits("B")]).toEqual([true, false]);
  });

  test("are asked for until every event is judged by them", async () => {
    let asked = 0;
    const known = new KnownEventTypes({ admit: async () => new Set([["A"], ["A", "B"]][asked++]!) }, 2);
    const judged: boolean[] = [];
    const result = await settled(known, ({ admitsType }) => {
      judged.push(admitsType!("C"));
      return taken(admitsType!("C") ? ["A", "B", "C"] : ["A", "B"]);
    });
    expect(result).toMatchObject({ columns: { count: 2 } });
    expect([asked, judged]).toEqual([2, [true, true, false]]);
    expect(await settled(undefined, (rule) => ({ ...taken(["Z"]), rule }))).toMatchObject({ rule: {} });
  });
});
