/*
 * The forms of names, for programs and for people. All checks and messages use this table. A test holds
 * the patterns to those of the proto.
 */

/** What can be named. */
export type NameKind =
  | "name"
  | "organization"
  | "tenant"
  | "extension"
  | "target"
  /** What a watch can follow: an organization or a tenant. */
  | "watchable"
  /** What attachment sets can be under. */
  | "parent"
  /** What can be exported: a target, or what targets can be under. */
  | "exportable";

/** How a name looks. */
export interface NameForm {
  /** A regular expression, as in the proto. */
  readonly pattern: string;
  /** The form for people, as the object of "write". */
  readonly wording: string;
}

/** One segment that a user chooses: a DNS label, so code-point order and UTF-16 order agree. */
const segment = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
const organization = `organizations/${segment}`;
const tenant = `${organization}/tenants/${segment}`;
const workspace = `${tenant}/workspaces/${segment}`;
const gateway = `gatewaygroups/${segment}/(ingressgateways|egressgateways)/${segment}`;

/** All forms. */
export const nameForms: Readonly<Record<NameKind, NameForm>> = {
  name: {
    pattern: `^${segment}$`,
    wording: "1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end",
  },
  organization: { pattern: `^${organization}$`, wording: "organizations/{org}" },
  tenant: { pattern: `^${tenant}$`, wording: "organizations/{org}/tenants/{tenant}" },
  extension: {
    pattern: `^${organization}/extensions/${segment}$`,
    wording: "organizations/{org}/extensions/{name}",
  },
  target: {
    pattern: `^${workspace}/(${gateway}|securitygroups/${segment})$`,
    wording:
      "{workspace}/gatewaygroups/{group}/ingressgateways/{name}, {workspace}/gatewaygroups/{group}/egressgateways/{name} or {workspace}/securitygroups/{group}, where {workspace} is organizations/{org}/tenants/{tenant}/workspaces/{ws}",
  },
  watchable: {
    pattern: `^${organization}(/tenants/${segment})?$`,
    wording: "organizations/{org} or organizations/{org}/tenants/{tenant}",
  },
  parent: {
    pattern: `^${organization}(/tenants/${segment}(/workspaces/${segment}(/(gatewaygroups|securitygroups)/${segment})?)?)?$`,
    wording:
      "the fqn of an organization (organizations/{org}), a tenant (…/tenants/{tenant}), a workspace (…/workspaces/{ws}), a gateway group (…/gatewaygroups/{group}) or a security group (…/securitygroups/{group})",
  },
  exportable: {
    pattern: `^${organization}(/tenants/${segment}(/workspaces/${segment}(/(securitygroups/${segment}|gatewaygroups/${segment}(/(ingressgateways|egressgateways)/${segment})?))?)?)?$`,
    wording:
      "the fqn of a target, or of an organization (organizations/{org}), a tenant (…/tenants/{tenant}), a workspace (…/workspaces/{ws}) or a gateway group (…/gatewaygroups/{group})",
  },
};

const expressions = new Map(
  Object.entries(nameForms).map(([kind, { pattern }]) => [kind, new RegExp(pattern)]),
);

/** Tells whether a text is a name of some kind. */
export function isNameOf(kind: NameKind, text: string): boolean {
  return expressions.get(kind)?.test(text) === true;
}
