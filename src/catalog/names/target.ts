import { isNameOf } from "./forms.ts";
import { organizationOf, tenantOf } from "./fqn.ts";

/** What an attachment set belongs to. */
export interface Target {
  /** The tenant's fqn. */
  readonly tenant: string;
  /** The organization's fqn. */
  readonly organization: string;
  /** Gateways handle outbound traffic only; workloads of a security group handle both. */
  readonly isGateway: boolean;
}

/** Tells whether `text` is the fqn of a gateway or a security group. */
export function isTarget(text: string): boolean {
  return isNameOf("target", text);
}

/**
 * Reads a target's fqn.
 *
 * Raises a TypeError if `fqn` is not a target's: requests are validated before.
 */
export function targetOf(fqn: string): Target {
  if (!isTarget(fqn)) {
    throw new TypeError(`${fqn} is not the fqn of a target`);
  }
  const [groups] = fqn.split("/").slice(6);
  return {
    tenant: tenantOf(fqn),
    organization: organizationOf(fqn),
    isGateway: groups === "gatewaygroups",
  };
}
