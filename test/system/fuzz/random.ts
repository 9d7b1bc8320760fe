// SPDX-License-Identifier: Apache-2.0
/** Seeded choices, and bytes changed as a network, a disk or a stranger may change them. */
import { seeded } from "../../io/ports/condition";

const TOKENS = [
  '"__proto__":{"eventId":"x"},',
  '"constructor":1,',
  "1e400",
  "-0",
  "9007199254740993",
  "4.9999999999999999",
  "\\ud800",
  "\u0000",
  "[".repeat(700),
  '{"a":'.repeat(90),
  '"',
  "\\",
  "\n",
  "\r\n",
  ",",
  "]",
  "}",
  "null",
  "\ufeff",
  '"events":[1],',
  '"data_base64":"e30=",',
  '"eventTime":"2026-02-30T00:00:00Z",',
].map((token) => Buffer.from(token));
const RAW = [
  Buffer.from([0xff]),
  Buffer.from([0xc3, 0x01]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.alloc(9, 0xff),
  Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
  Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]),
  Buffer.from([0x1f, 0x8b]),
];
const MAX_CHANGES = 4;

export class Random {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seeded(seed);
  }

  below = (end: number): number => Math.floor(this.next() * end);
  chance = (share: number): boolean => this.next() < share;
  pick = <T>(from: readonly T[]): T => from[this.below(from.length)]!;

  text(): string {
    return Array.from({ length: this.below(20) }, () => this.pick([...'abc/+;=,"\\ 0Z-gzip.%é'])).join("");
  }

  /** One to four changes; `others` may be spliced in. */
  mutate(bytes: Uint8Array, others: readonly Uint8Array[] = []): Buffer {
    let body = Buffer.from(bytes);
    for (let times = 1 + this.below(MAX_CHANGES); times > 0; times--) body = this.change(body, others);
    return body;
  }

  private change(body: Buffer, others: readonly Uint8Array[]): Buffer<ArrayBuffer> {
    const at = this.below(body.length + 1);
    const length = Math.floor(this.next() ** 2 * 30);
    const [head, tail] = [body.subarray(0, at), body.subarray(at)];
    switch (this.below(8)) {
      case 0: {
        const changed = Buffer.from(body);
        if (at < body.length) changed[at] = this.below(256);
        return changed;
      }
      case 1: {
        const changed = Buffer.from(body);
        if (at < body.length) changed[at]! ^= 1 << this.below(8);
        return changed;
      }
      case 2:
        return Buffer.concat([head, tail.subarray(length)]);
      case 3:
        return Buffer.concat([head, this.pick(TOKENS), tail]);
      case 4:
        return Buffer.concat([head, this.pick(RAW), tail]);
      case 5:
        return Buffer.from(head);
      case 6:
        return Buffer.concat([head, others.length === 0 ? head : this.pick(others), tail]);
      default:
        return Buffer.concat([head, body.subarray(Math.max(0, at - length), at), tail]);
    }
  }
}
