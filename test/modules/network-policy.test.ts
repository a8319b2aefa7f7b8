import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isIn, parseAddress, parseNetwork } from "../../src/modules/network/address.ts";
import { createNetworkPolicy, isLoopbackAddress } from "../../src/modules/network/policy.ts";

const strict = createNetworkPolicy([]);

/** An address as the parser of urls writes it. */
function inUrl(host: string): string {
  return new URL(`http://${host}/`).hostname.replace(/^\[|\]$/g, "");
}

describe("without allowed networks", () => {
  test.each([
    ["0.0.0.0", "unspecified"],
    ["0.1.2.3", "unspecified"],
    ["10.1.2.3", "private"],
    ["100.64.0.1", "carrier"],
    ["100.100.100.200", "carrier"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["168.63.129.16", "cloud metadata"],
    ["169.254.169.254", "link-local"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.0.0.192", "reserved"],
    ["192.168.0.1", "private"],
    ["198.18.0.1", "reserved"],
    ["224.0.0.1", "multicast"],
    ["255.255.255.255", "reserved"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["::7f00:1", "reserved"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:a9fe:a9fe", "link-local"],
    ["::ffff:0:7f00:1", "reserved"],
    ["64:ff9b::10.0.0.1", "private"],
    ["64:ff9b:1::8.8.8.8", "reserved"],
    ["2001::1", "reserved"],
    ["2002:7f00:1::", "reserved"],
    ["fd00:ec2::254", "private"],
    ["fe80::1", "link-local"],
    ["fe80::1%eth0", "link-local"],
    ["fec0::1", "reserved"],
    ["ff02::1", "multicast"],
    ["not an address", "no address"],
    ["", "no address"],
  ])("%s is refused as %s", (address, kind) => {
    expect(strict.refusalOf(address)).toContain(kind);
  });

  test.each([
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.32.0.1",
    "169.253.0.1",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2606:4700::1111",
  ])("%s is public", (address) => {
    expect(strict.refusalOf(address)).toBeUndefined();
  });

  test.each([
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "127.1",
    "127.0.0.1.",
    "[::ffff:127.0.0.1]",
    "[::1]",
    "①②⑦.0.0.1",
  ])("%s in a url is this machine", (host) => {
    expect(strict.refusalOf(inUrl(host))).toBe("a loopback address");
    expect(isLoopbackAddress(inUrl(host))).toBe(true);
  });
});

test("public addresses of the machine itself are refused unless they are allowed", () => {
  const own = (): string[] => ["8.8.4.4", "2606:4700::2", "fe80::1%eth0"];
  const policy = createNetworkPolicy([], own);
  for (const address of ["8.8.4.4", "::ffff:8.8.4.4", "2606:4700:0::2"]) {
    expect(policy.refusalOf(address)).toBe("an address of the server itself");
  }
  expect(policy.refusalOf("2606:4700::3")).toBeUndefined();
  expect(createNetworkPolicy(["8.8.4.4"], own).refusalOf("8.8.4.4")).toBeUndefined();
});

test("an allowed network lets in what is in it, and nothing else", () => {
  const policy = createNetworkPolicy([
    "10.1.0.0/16",
    "fd00:1::/32",
    "127.0.0.1",
    "::ffff:192.168.0.0/112",
  ]);
  const open = [
    "10.1.2.3",
    "::ffff:10.1.2.3",
    "64:ff9b::10.1.2.3",
    "fd00:1::9",
    "127.0.0.1",
    "192.168.9.9",
  ];
  expect(open.map((address) => policy.refusalOf(address))).toEqual(open.map(() => undefined));
  for (const address of ["10.2.0.1", "fd00:2::1", "127.0.0.2", "192.169.0.1", "169.254.169.254"]) {
    expect(policy.refusalOf(address) ?? "public").toBe(strict.refusalOf(address) ?? "public");
  }
});

test.each([
  "10.0.0.1/8",
  "10.0.0.0/33",
  "fd00::/129",
  "fd00::1/64",
  "10/8",
  "x",
  "",
  "10.0.0.0/",
  "fe80::1%eth0/64",
  "::ffff:0:0/90",
  "10.0.0.0/8/8",
])("%j is no network", (text) => {
  expect(parseNetwork(text)).toBeUndefined();
  expect(() => createNetworkPolicy([text])).toThrow("is not a network");
});

const ipv4 = fc.ipV4();

test("all spellings of an IPv4 address are one address", () => {
  fc.assert(
    fc.property(ipv4, (address) => {
      const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
      const value = ((a * 256 + b) * 256 + c) * 256 + d;
      const hex = (high: number, low: number): string => (high * 256 + low).toString(16);
      const spellings = [
        inUrl(String(value)),
        inUrl(`0x${value.toString(16)}`),
        inUrl(`[::ffff:${address}]`),
        `::ffff:${address}`,
        `0:0:0:0:0:ffff:${hex(a, b)}:${hex(c, d)}`,
      ];
      for (const spelling of spellings) {
        expect(parseAddress(spelling)).toEqual(parseAddress(address));
      }
      expect(strict.refusalOf(`64:ff9b::${address}`)).toBe(strict.refusalOf(address));
    }),
  );
});

test("an IPv6 address is the same however it is written", () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      expect(parseAddress(inUrl(`[${address}]`))).toEqual(parseAddress(address));
    }),
  );
});

test("an address is in the network that its first bits make, and refused by none that is allowed", () => {
  fc.assert(
    fc.property(ipv4, fc.integer({ min: 0, max: 32 }), (address, prefix) => {
      const { value = 0n } = parseAddress(address) ?? {};
      const first = (value >> BigInt(32 - prefix)) << BigInt(32 - prefix);
      const text = [24n, 16n, 8n, 0n].map((shift) => (first >> shift) & 255n).join(".");
      const network = parseNetwork(`${text}/${prefix}`);
      const found = parseAddress(address);
      expect(network !== undefined && found !== undefined && isIn(network, found)).toBe(true);
      expect(createNetworkPolicy([`${text}/${prefix}`]).refusalOf(address)).toBeUndefined();
    }),
  );
});
