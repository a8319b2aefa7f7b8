/*
 * Which addresses modules may be fetched from. Users name urls, and the server is inside of a network that
 * they may not be in, so that all addresses are refused which are not for everyone, unless they are allowed.
 */
import { networkInterfaces } from "node:os";
import {
  type Address,
  isIn,
  lastBits,
  type Network,
  parseAddress,
  parseNetwork,
} from "./address.ts";

/** Decides which addresses are connected to. */
export interface NetworkPolicy {
  /** What an address is that is refused, such as "a private address"; undefined if it may be connected to. */
  refusalOf(address: string): string | undefined;
}

/** Networks that are not for everyone: https://www.iana.org/assignments/iana-ipv4-special-registry */
const refused: readonly (readonly [Network, string])[] = (
  [
    ["0.0.0.0/8", "an unspecified address"],
    ["10.0.0.0/8", "a private address"],
    ["100.64.0.0/10", "a shared address of a carrier"],
    ["127.0.0.0/8", "a loopback address"],
    ["168.63.129.16", "an address of cloud metadata"],
    ["169.254.0.0/16", "a link-local address"],
    ["172.16.0.0/12", "a private address"],
    ["192.0.0.0/24", "a reserved address"],
    ["192.0.2.0/24", "an address for documentation"],
    ["192.88.99.0/24", "a reserved address"],
    ["192.168.0.0/16", "a private address"],
    ["198.18.0.0/15", "a reserved address"],
    ["198.51.100.0/24", "an address for documentation"],
    ["203.0.113.0/24", "an address for documentation"],
    ["224.0.0.0/4", "a multicast address"],
    ["240.0.0.0/4", "a reserved address"],
    ["::", "an unspecified address"],
    ["::1", "a loopback address"],
    ["fc00::/7", "a private address"],
    ["fe80::/10", "a link-local address"],
    ["ff00::/8", "a multicast address"],
    // Teredo and 6to4 hold IPv4 addresses.
    ["2001::/23", "a reserved address"],
    ["2001:db8::/32", "an address for documentation"],
    ["2002::/16", "a reserved address"],
    ["3fff::/20", "an address for documentation"],
  ] as const
).map(([network, kind]) => [networkOf(network), kind]);

/** All other IPv6 addresses are not assigned. */
const assigned = networkOf("2000::/3");

/** IPv6 addresses that a NAT64 gateway translates to IPv4. */
const translated = networkOf("64:ff9b::/96");

/**
 * Creates the policy.
 *
 * @param allowed - networks that may be connected to, as ADDRESS/PREFIX; raises if one is not valid
 * @param own - the addresses of this machine, which may be public, and lead past a firewall
 */
export function createNetworkPolicy(
  allowed: readonly string[],
  own: () => readonly string[] = addressesOfMachine,
): NetworkPolicy {
  const networks = allowed.map(networkOf);
  const refusal = (address: Address): string | undefined => {
    if (networks.some((network) => isIn(network, address))) {
      return undefined;
    }
    if (isIn(translated, address)) {
      return refusal(lastBits(address));
    }
    const [, kind] = refused.find(([network]) => isIn(network, address)) ?? [];
    if (kind !== undefined || (address.bits === 128 && !isIn(assigned, address))) {
      return kind ?? "a reserved address";
    }
    return own().some((text) => isSame(parseAddress(text), address))
      ? "an address of the server itself"
      : undefined;
  };
  return {
    refusalOf(text) {
      const address = parseAddress(text);
      return address === undefined ? "no address" : refusal(address);
    },
  };
}

function addressesOfMachine(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address),
  );
}

function isSame(one: Address | undefined, other: Address): boolean {
  return one?.bits === other.bits && one.value === other.value;
}

const loopback = ["127.0.0.0/8", "::1"].map(networkOf);

/** Tells whether an address is this machine alone. */
export function isLoopbackAddress(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && loopback.some((network) => isIn(network, address));
}

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) {
    throw new Error(`${text} is not a network`);
  }
  return network;
}
