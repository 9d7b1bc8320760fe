// SPDX-License-Identifier: Apache-2.0
import { wholeNumber } from "../../cli/arguments/whole-number";
import { replayPayload } from "../../cli/sending/replay-payload";
import type { DeadLetter } from "../../io/ports";

test.each([
  ["1", 1],
  ["1.0", 1],
  ["1e2", 100],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
])("an option written %s is %i", (text, value) => expect(wholeNumber(0, Number.MAX_SAFE_INTEGER)(text)).toBe(value));

test.each(["4.9999999999999999", "9007199254740991.4", "1e-400", "0x10", "", " ", " 1", "1e400", "-1", "Infinity"])(
  "an option written %j is refused",
  (text) => expect(() => wholeNumber(0, Number.MAX_SAFE_INTEGER)(text)).toThrow("a whole number"),
);

describe("a field that is set on replay", () => {
  const letter = (payload: string, contentType = "application/json"): DeadLetter => ({
    id: "1",
    receivedAtMs: 5,
    reason: "bad-value",
    detail: "",
    payload: Buffer.from(payload),
    contentType,
    source: "ingest",
  });
  const set = (payload: string, text: string, contentType?: string) => {
    const replayed = replayPayload(letter(payload, contentType), [{ field: "value", text }]);
    return replayed.ok ? Buffer.from(replayed.bytes).toString() : replayed.detail;
  };

  test("stays the number that was written, for the service to judge", () => {
    const event = '{"eventId":"a","eventTime":1,"value":"x"}';
    expect(set(event, "9007199254740991.4")).toBe(
      '{"eventId":"a","eventTime":1,"value":"x","value":9007199254740991.4}',
    );
    expect(set(event, "seven")).toBe('{"eventId":"a","eventTime":1,"value":"x","value":"seven"}');
  });

  test("goes into the data of a CloudEvent, wherever that stands", () => {
    const type = "application/cloudevents+json";
    const one = '{"specversion":"1.0","id":"a","time":"2026-11-21T10:00:00Z","data":{"value":1.5,"q":1}}';
    expect(JSON.parse(set(one, "2", type))).toMatchObject({ data: { value: 2, q: 1 } });
    const encoded = one.replace(
      /"data":.*\}\}$/,
      `"data_base64":"${Buffer.from('{"value":1.5,"q":1}').toString("base64")}"}`,
    );
    expect(JSON.parse(set(encoded, "2", type))).toMatchObject({ data: { value: 2, q: 1 }, data_base64: null });
  });
});
