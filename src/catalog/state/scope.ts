import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { organizationOfExtension, organizationOfTenant } from "../names/fqn.ts";

/** The fields of an extension that decide who may use it. */
export type Usability = Pick<WasmExtension, "fqn" | "allowedIn">;

/**
 * Who may use an extension: its organization if all tenants may, else the tenants that may. Entries of
 * `allowed_in` that do not name a tenant of the same organization have no effect.
 */
export function usableUnder({ fqn, allowedIn }: Usability): ReadonlySet<string> {
  const organization = organizationOfExtension(fqn);
  if (allowedIn.length === 0) {
    return new Set([organization]);
  }
  return new Set(allowedIn.filter((entry) => organizationOfTenant(entry) === organization));
}

/**
 * Tells whether a scope sees an extension: an organization sees all of its own, a tenant those that it
 * may use. Extensions never cross organizations. This is the rule; a state keeps an index of it, see
 * `isListed`.
 *
 * @param scope - the fqn of an organization or of a tenant
 */
export function isInScope(scope: string, extension: Usability): boolean {
  const organization = organizationOfTenant(scope);
  const own = organizationOfExtension(extension.fqn);
  return organization === undefined
    ? own === scope
    : own === organization &&
        (extension.allowedIn.length === 0 || extension.allowedIn.includes(scope));
}
