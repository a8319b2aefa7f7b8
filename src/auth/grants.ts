/* Grants as tokens and files state them. */
import {
  type Grant,
  type Permission,
  permissions,
  rootResource,
} from "../catalog/access/principal.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import { isNameOf } from "../catalog/names/forms.ts";
import { type Claims, isObject } from "./claims.ts";

/** Is raised if grants are malformed. The message says where, and what is wrong. */
export class MalformedGrants extends Error {}

/**
 * Reads the claim `wasmext.grants` of a token: a claim of that name, or `grants` in a claim `wasmext`. A
 * token may have neither. How many there are is bounded by the length of a token.
 *
 * Raises MalformedGrants if any grant is malformed. A misspelt grant is not ignored, since its issuer
 * believes that it is in force.
 */
export function grantsOfClaims(claims: Claims): Grant[] {
  const nested = Object.hasOwn(claims, "wasmext") ? claims["wasmext"] : undefined;
  const claim = Object.hasOwn(claims, "wasmext.grants")
    ? claims["wasmext.grants"]
    : isObject(nested)
      ? nested["grants"]
      : undefined;
  if (claim === undefined || claim === null) {
    return [];
  }
  if (!Array.isArray(claim)) {
    throw new MalformedGrants("wasmext.grants is not a list");
  }
  return claim.map((grant, index) => grantOf(grant, `wasmext.grants[${index}]`));
}

function grantOf(value: unknown, path: string): Grant {
  if (!isObject(value)) {
    throw new MalformedGrants(`${path} is not an object with resource and permissions`);
  }
  const unknown = Object.keys(value).find((name) => name !== "resource" && name !== "permissions");
  if (unknown !== undefined) {
    throw new MalformedGrants(`${path} has the unknown member ${excerpt(unknown)}`);
  }
  const { resource, permissions: permitted } = value;
  const problem = typeof resource === "string" ? problemOfResource(resource) : "it is not a string";
  if (problem !== undefined) {
    throw new MalformedGrants(`${path}.resource: ${problem}`);
  }
  if (!Array.isArray(permitted) || permitted.length === 0) {
    throw new MalformedGrants(`${path}.permissions is not a list of ${permissions.join(", ")}`);
  }
  permitted.forEach((permission, index) => {
    if (!isPermission(permission)) {
      const at = `${path}.permissions[${index}]`;
      throw new MalformedGrants(`${at} is not one of ${permissions.join(", ")}`);
    }
  });
  return { resource: String(resource), permissions: permitted as Permission[] };
}

/** Tells what is wrong with the resource of a grant; undefined if nothing is. */
export function problemOfResource(resource: string): string | undefined {
  return resource === rootResource ||
    isNameOf("parent", resource) ||
    isNameOf("extension", resource) ||
    isNameOf("target", resource)
    ? undefined
    : `${excerpt(resource)} is not a resource; write the fqn of an organization, of what is in one, or ${rootResource} for all`;
}

/** Tells whether a value is a permission. */
export function isPermission(value: unknown): value is Permission {
  return permissions.some((permission) => permission === value);
}

/** All grants with one entry a resource, in order: the same grants always give the same list. */
export function mergeGrants(grants: readonly Grant[]): Grant[] {
  const byResource = new Map<string, Set<Permission>>();
  for (const { resource, permissions: permitted } of grants) {
    const all = byResource.get(resource) ?? new Set();
    byResource.set(resource, all);
    permitted.forEach((permission) => all.add(permission));
  }
  return [...byResource]
    .map(([resource, all]) => ({
      resource,
      permissions: permissions.filter((permission) => all.has(permission)),
    }))
    .sort((a, b) => (a.resource < b.resource ? -1 : 1));
}
