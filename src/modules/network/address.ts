/*
 * Addresses and networks of the Internet Protocol, as numbers. An IPv4 address in the form of IPv6
 * (::ffff:192.0.2.1) is the IPv4 address.
 */
import { isIP } from "node:net";

/** An address. */
export interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** A network: the addresses that have the same first bits. */
export interface Network extends Address {
  /** How many bits they have in common. */
  readonly prefix: number;
}

const mapped = 0xffffn << 32n;

/** Parses an address, IPv6 without brackets; undefined if the text is not one. */
export function parseAddress(text: string): Address | undefined {
  switch (isIP(text)) {
    case 4:
      return { bits: 32, value: valueOf4(text) };
    case 6: {
      const value = valueOf6(text.replace(/%.*$/, ""));
      return value >> 32n === mapped >> 32n
        ? { bits: 32, value: value & 0xffffffffn }
        : { bits: 128, value };
    }
    default:
      return undefined;
  }
}

/** Parses ADDRESS/PREFIX or ADDRESS; undefined if the text is neither, or has bits beyond its prefix. */
export function parseNetwork(text: string): Network | undefined {
  const [, host = "", length] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(host);
  if (address === undefined) {
    return undefined;
  }
  const written = isIP(host) === 4 ? 32 : 128;
  const prefix = (length === undefined ? written : Number(length)) - (written - address.bits);
  if (prefix < 0 || prefix > address.bits) {
    return undefined;
  }
  const network = { ...address, prefix };
  return firstBits(network, address) << BigInt(address.bits - prefix) === address.value
    ? network
    : undefined;
}

/** Tells whether an address is in a network. */
export function isIn(network: Network, address: Address): boolean {
  return (
    network.bits === address.bits && firstBits(network, address) === firstBits(network, network)
  );
}

/** The IPv4 address in the last 32 bits of an IPv6 address. */
export function lastBits({ value }: Address): Address {
  return { bits: 32, value: value & 0xffffffffn };
}

function firstBits({ prefix }: Network, { bits, value }: Address): bigint {
  return value >> BigInt(bits - prefix);
}

function valueOf4(text: string): bigint {
  return text.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function valueOf6(text: string): bigint {
  const [, start = text, dotted] = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text) ?? [];
  const low = dotted === undefined ? 0n : valueOf4(dotted);
  const groups =
    dotted === undefined
      ? start
      : `${start}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [head = [], tail] = groups
    .split("::")
    .map((half) => half.split(":").filter((group) => group !== ""));
  const gap = tail === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array<string>(gap).fill("0"), ...(tail ?? [])].reduce(
    (value, group) => (value << 16n) | BigInt(`0x${group}`),
    0n,
  );
}
