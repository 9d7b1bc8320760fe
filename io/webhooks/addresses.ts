// SPDX-License-Identifier: Apache-2.0
/**
 * The addresses that a webhook may reach. A name in a URL may stand for an address of this network (server-side request
 * forgery), perhaps only at its second look-up, so the connected address itself is judged. The configuration is checked
 * with it, and every attempt to deliver.
 */
import { lookup as systemLookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

/** The address is one of a network that is not allowed. */
class AddressRefusedError extends Error {
  override readonly name = "AddressRefusedError";
}

/** The ranges that the IANA registries of special-purpose addresses keep from the public internet. */
const SPECIAL_IPV4 = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/4", "240.0.0.0/4"],
];
/** Within the global unicast range 2000::/3: documentation, and tunnels that carry an IPv4 address. */
const SPECIAL_IPV6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];
const GLOBAL_UNICAST = ["2000::/3"];

const NETWORK = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/;

/** Whether the text is a network such as 10.0.0.0/8 or fd00::/8. */
export function isNetwork(text: string): boolean {
  const [, address = "", bits] = NETWORK.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bits) <= (version === 4 ? 32 : 128);
}

export class AllowedAddresses {
  readonly #privateOnes: BlockList;
  readonly #special = networks([...SPECIAL_IPV4, ...SPECIAL_IPV6]);
  readonly #global = networks(GLOBAL_UNICAST);

  /** `privateNetworks`: what may be reached beside the public internet. */
  constructor(privateNetworks: readonly string[]) {
    this.#privateOnes = networks(privateNetworks);
  }

  /** Without encryption only the private networks may be reached. Throws AddressRefusedError. */
  check(address: string, isEncrypted: boolean): void {
    const { plain, family } = plainAddress(address);
    if (this.#privateOnes.check(plain, family)) return;
    const isPublic = !this.#special.check(plain, family) && (family === "ipv4" || this.#global.check(plain, family));
    if (!isPublic)
      throw new AddressRefusedError(`${address} is not a public address, and no alerts.privateNetworks has it`);
    if (!isEncrypted) throw new AddressRefusedError(`${address} needs https: http is for alerts.privateNetworks alone`);
  }

  /** For sockets: resolves a name to the addresses that may be connected to, and fails where one may not be. */
  lookup(isEncrypted: boolean): LookupFunction {
    return (hostname, options, callback) => {
      systemLookup(hostname, { ...options, all: true }, (error, found) => {
        if (error !== null) return callback(error, "");
        try {
          for (const { address } of found) this.check(address, isEncrypted);
        } catch (refusal) {
          return callback(refusal as Error, "");
        }
        const [first] = found;
        if (options.all === true) return callback(null, found);
        callback(null, first!.address, first!.family);
      });
    };
  }
}

function networks(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [, address = "", bits] = NETWORK.exec(text) ?? [];
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

/** An IPv4 address within an IPv6 one (::ffff:10.0.0.1) is judged as what it reaches. */
function plainAddress(address: string): { plain: string; family: "ipv4" | "ipv6" } {
  if (isIP(address) === 4) return { plain: address, family: "ipv4" };
  const hostname = new URL(`http://[${address.split("%")[0]}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(hostname) ?? [];
  if (high === undefined || low === undefined) return { plain: hostname, family: "ipv6" };
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return { plain: [a >> 8, a & 255, b >> 8, b & 255].join("."), family: "ipv4" };
}
