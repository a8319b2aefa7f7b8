import { organizationOfTenant, segment } from "./fqn.ts";

/** What an attachment set hangs on. */
export interface Target {
  /** The tenant's fqn. */
  readonly tenant: string;
  /** The organization's fqn. */
  readonly organization: string;
  /** Gateways handle outbound traffic only; workloads of a security group handle both. */
  readonly isGateway: boolean;
}

const targetPattern = new RegExp(
  `^(.*)/workspaces/${segment}/(?:(gatewaygroups)/${segment}/(?:ingressgateways|egressgateways)/${segment}|securitygroups/${segment})$`,
);

/** Tells whether `text` is the fqn of a gateway or a security group. */
export function isTarget(text: string): boolean {
  const tenant = targetPattern.exec(text)?.[1];
  return tenant !== undefined && organizationOfTenant(tenant) !== undefined;
}

/**
 * Reads a target's fqn.
 *
 * Raises a TypeError if `fqn` is no target's: names are checked where they come in.
 */
export function targetOf(fqn: string): Target {
  const [, tenant = "", gateways] = targetPattern.exec(fqn) ?? [];
  const organization = organizationOfTenant(tenant);
  if (organization === undefined) {
    throw new TypeError(`${fqn} is not the fqn of a target`);
  }
  return { tenant, organization, isGateway: gateways !== undefined };
}
