import { isIP } from "node:net";
import { InvalidArgumentError } from "commander";
import type { Address } from "../envoy-config/proxy.ts";

/** The forms of a host name, or of an address in brackets if it is one of IPv6. */
const hostAndPort = /^(?:\[([\da-fA-F:.]+)\]|([a-zA-Z\d]([-\w.]*[a-zA-Z\d])?)):(\d{1,5})$/;

/** Parses HOST:PORT, where a client connects to. */
export function addressArgument(text: string): Address {
  const address = parsed(text);
  if (address === undefined || address.port === 0) {
    throw new InvalidArgumentError("It has to be HOST:PORT, such as 127.0.0.1:8081.");
  }
  return address;
}

/** Parses IP:PORT, where a server listens; port 0 is any free one. */
export function listenArgument(text: string): Address {
  const address = parsed(text.replace(/^localhost:/, "127.0.0.1:"));
  if (address?.isIp !== true) {
    throw new InvalidArgumentError("It has to be IP:PORT, such as 127.0.0.1:10000.");
  }
  return address;
}

/** The host and port of a url without a path. */
export function addressOfUrl(text: string): Address {
  const { hostname, port, protocol } = new URL(text);
  const host = hostname.replace(/^\[|\]$/g, "");
  const usual = protocol === "https:" ? 443 : 80;
  return { host, isIp: isIP(host) !== 0, port: port === "" ? usual : Number(port) };
}

function parsed(text: string): Address | undefined {
  const [, inBrackets, name = "", , digits] = hostAndPort.exec(text) ?? [];
  const host = inBrackets ?? name;
  const port = Number(digits);
  const isIp = isIP(host) !== 0;
  // A name of digits and points alone is a misspelt address.
  const isName = inBrackets === undefined && !/^[\d.]*$/.test(host);
  return port <= 65535 && (isIp || isName) ? { host, isIp, port } : undefined;
}
