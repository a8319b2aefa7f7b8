import { isKnown, type Principal } from "./principal.ts";

/** How a caller is called whose calls are counted: its principal, and the address of a caller without one. */
export function callerOf(principal: Principal, peer: string | undefined): string {
  if (isKnown(principal)) {
    return `principal ${principal.name}`;
  }
  const address = peer?.replace(/:\d+$/, "") ?? "this process";
  return principal.name === "" ? `a caller of health at ${address}` : `address ${address}`;
}
