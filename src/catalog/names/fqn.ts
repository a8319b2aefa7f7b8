/*
 * Fully-qualified names. A name is a path of pairs, `organizations/acme/tenants/red`, and each
 * segment that a user chooses is a DNS label, so code-point order and UTF-16 order agree.
 */

/** The regular expression of one segment that a user chooses. */
export const segment = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";

const tenantPattern = new RegExp(`^(organizations/${segment})/tenants/${segment}$`);
const extensionPattern = new RegExp(`^(organizations/${segment})/extensions/${segment}$`);

/** Tells whether `text` is `organizations/{org}/extensions/{name}`. */
export function isExtension(text: string): boolean {
  return extensionPattern.test(text);
}

/** The fqn of the extension `name` of an organization. */
export function extensionFqn(organization: string, name: string): string {
  return `${organization}/extensions/${name}`;
}

/** The name that an fqn ends with. */
export function lastSegment(fqn: string): string {
  return fqn.slice(fqn.lastIndexOf("/") + 1);
}

/** The organization's fqn of a tenant's fqn, or undefined if `text` is no tenant's. */
export function organizationOfTenant(text: string): string | undefined {
  return tenantPattern.exec(text)?.[1];
}

/**
 * The organization's fqn of an extension's fqn.
 *
 * Raises a TypeError if `fqn` is no extension's: names are checked where they come in.
 */
export function organizationOfExtension(fqn: string): string {
  const organization = extensionPattern.exec(fqn)?.[1];
  if (organization === undefined) {
    throw new TypeError(`${fqn} is not the fqn of an extension`);
  }
  return organization;
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
