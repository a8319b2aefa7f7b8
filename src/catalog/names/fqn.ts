/* Fully-qualified names: paths of pairs, such as `organizations/acme/tenants/red`. See forms.ts. */
import { isNameOf } from "./forms.ts";

/** Tells whether `text` is the fqn of an extension. */
export function isExtension(text: string): boolean {
  return isNameOf("extension", text);
}

/** The fqn of the extension `name` of an organization. */
export function extensionFqn(organization: string, name: string): string {
  return `${organization}/extensions/${name}`;
}

/** The name that an fqn ends with. */
export function lastSegment(fqn: string): string {
  return fqn.slice(fqn.lastIndexOf("/") + 1);
}

/** The organization's fqn of a tenant's fqn, or undefined if `text` is not a tenant's. */
export function organizationOfTenant(text: string): string | undefined {
  return isNameOf("tenant", text) ? organizationOf(text) : undefined;
}

/**
 * The organization's fqn of an extension's fqn.
 *
 * Raises a TypeError if `fqn` is not an extension's: requests are validated before.
 */
export function organizationOfExtension(fqn: string): string {
  if (!isExtension(fqn)) {
    throw new TypeError(`${fqn} is not the fqn of an extension`);
  }
  return organizationOf(fqn);
}

/** The tenant's fqn that a target's begins with. */
export function tenantOf(target: string): string {
  return target.split("/", 4).join("/");
}

/** The organization's fqn that any fqn begins with. */
export function organizationOf(fqn: string): string {
  const end = fqn.indexOf("/", fqn.indexOf("/") + 1);
  return end === -1 ? fqn : fqn.slice(0, end);
}

/** Tells whether a resource is under another, or is the same. */
export function isUnder(parent: string, fqn: string): boolean {
  return fqn.startsWith(parent) && (fqn.length === parent.length || fqn[parent.length] === "/");
}
