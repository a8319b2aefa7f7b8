/*
 * Who calls, and what that caller may do. What a caller may do is decided by `may` alone, and what it sees
 * of extensions by viewer.ts.
 */
/** What a caller can be allowed. */
export const permissions = ["READ", "CREATE", "WRITE", "DELETE"] as const;

/** What a caller can be allowed on a resource and all below it. */
export type Permission = (typeof permissions)[number];

/** Permissions on a resource and all below it. */
export interface Grant {
  /** The fqn of a resource, whose grant covers all below it; see `rootResource`. */
  readonly resource: string;
  readonly permissions: readonly Permission[];
}

/** The resource above all organizations. */
export const rootResource = "organizations";

/** Allow everything. */
export const allGrants: readonly Grant[] = [{ resource: rootResource, permissions }];

/** Who calls. */
export interface Principal {
  /** The name that commits keep as their author. */
  readonly name: string;
  /** The grants as they are now: another list after each change. */
  readonly grants: readonly Grant[];
  /** When its credentials expire, in ms since 1970; Infinity if they do not. */
  readonly expiresAt: number;
  /** Calls `notify` after each change of the grants. Returns a function that ends the subscription. */
  subscribe(notify: () => void): () => void;
}

/** Every caller, if there is no authentication. */
export const anyone: Principal = {
  name: "anonymous",
  grants: allGrants,
  expiresAt: Infinity,
  subscribe: () => () => undefined,
};

/** The caller of methods that are open to all, which need no credentials. */
export const nobody: Principal = { ...anyone, name: "", grants: [] };

/** Tells whether a caller has been authenticated. */
export function isKnown(principal: Principal): boolean {
  return principal !== anyone && principal !== nobody;
}

/** Tells whether a grant of a caller covers a resource with a permission. */
export function may(
  { grants }: Pick<Principal, "grants">,
  permission: Permission,
  fqn: string,
): boolean {
  const permitted = permittedBy(grants);
  // The resource itself, then each above it: a caller may have thousands of grants.
  for (let end = fqn.length; end > 0; end = fqn.lastIndexOf("/", end - 1)) {
    if (permitted.get(fqn.slice(0, end))?.has(permission) === true) {
      return true;
    }
  }
  return false;
}

type Permitted = ReadonlyMap<string, ReadonlySet<Permission>>;

/** The permissions that lists of grants give, by resource. A list does not change. */
const known = new WeakMap<readonly Grant[], Permitted>();

function permittedBy(grants: readonly Grant[]): Permitted {
  let permitted = known.get(grants);
  if (permitted === undefined) {
    const byResource = new Map<string, Set<Permission>>();
    for (const { resource, permissions: allowed } of grants) {
      byResource.set(resource, new Set([...(byResource.get(resource) ?? []), ...allowed]));
    }
    permitted = byResource;
    known.set(grants, permitted);
  }
  return permitted;
}
