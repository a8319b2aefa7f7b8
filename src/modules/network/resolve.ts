/*
 * The addresses of a host. They are looked up once, checked, and then connected to, so that a name cannot
 * lead elsewhere between the check and the connection.
 */
import { lookup as systemLookup } from "node:dns/promises";
import { createFairLimit } from "../fair-limit.ts";
import { ModuleFault } from "../problem.ts";
import { isLoopbackAddress, type NetworkPolicy } from "./policy.ts";
import { parseAddress } from "./address.ts";

/** How many addresses of a name are tried. */
const maxAddresses = 8;

/** Finds the addresses of a name. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** Finds the addresses of a url's host that may be connected to; at least one. Rejects with a ModuleFault. */
export type Resolve = (url: URL, signal: AbortSignal) => Promise<readonly string[]>;

/** The names of the system, from the hosts file and from DNS. */
export const lookupInSystem: Lookup = async (name) =>
  (await systemLookup(name, { all: true, order: "verbatim" })).map(({ address }) => address);

/** Resolves names for the keys of a limit, such as organizations. */
export type ResolveFor = (key: string) => Resolve;

/** Creates what resolves the hosts of urls. */
export function createResolver(policy: NetworkPolicy, lookup: Lookup): ResolveFor {
  // A lookup blocks a thread until a name server answers. Node gives lookups half of its four threads: with
  // one at a time, names that are never answered leave the other one to the rest of the server.
  const limit = createFairLimit(1, 1);
  return (key) => {
    const known = new Map<string, Promise<readonly string[]>>();
    return async (url, signal) => {
      const host = url.hostname.replace(/^\[|\]$/g, "");
      if (parseAddress(host) !== undefined) {
        return permitted(host, [host], policy);
      }
      let found = known.get(host);
      if (found === undefined) {
        found = limit.run(key, signal, () => lookup(host));
        known.set(host, found);
      }
      return permitted(host, await unlessAborted(found, signal, host), policy);
    };
  };
}

async function unlessAborted(
  found: Promise<readonly string[]>,
  signal: AbortSignal,
  host: string,
): Promise<readonly string[]> {
  let giveUp = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => {
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", giveUp, { once: true });
  });
  try {
    return await Promise.race([found, aborted]);
  } catch (error) {
    signal.throwIfAborted();
    const { code = "no answer" } = error as NodeJS.ErrnoException;
    throw new ModuleFault(
      "UNREACHABLE",
      code === "ENOTFOUND"
        ? `there is no host ${host}; check its name`
        : `the address of ${host} cannot be looked up (${code}); check its name, and the name server`,
      { cause: error },
    );
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function permitted(
  host: string,
  addresses: readonly string[],
  policy: NetworkPolicy,
): readonly string[] {
  // localhost is spoken to without TLS, so it has to be this machine whatever the name server says.
  const possible = host === "localhost" ? addresses.filter(isLoopbackAddress) : addresses;
  const allowed = possible.filter((address) => policy.refusalOf(address) === undefined);
  if (allowed.length > 0) {
    return allowed.slice(0, maxAddresses);
  }
  const [first] = possible;
  const kind = first === undefined ? "no address" : (policy.refusalOf(first) ?? "no address");
  // The address of a name is not shown: it would tell users about the server's network.
  throw new ModuleFault(
    "ADDRESS_REFUSED",
    `${host} ${first === host ? "is" : "has"} ${kind}, and modules are not fetched from there; use a public host, or allow the network with --allow-module-network`,
  );
}
