/*
 * What a caller sees of extensions: those that its grants to read cover, and those that a tenant may use, if
 * it may read that tenant. In their `allowed_in` it sees only the tenants that it may read.
 */
import { hash } from "node:crypto";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { withoutEntries } from "../../wire/without-entries.ts";
import { organizationOf, organizationOfTenant } from "../names/fqn.ts";
import { findExtension, isListed, type State } from "../state/state.ts";
import type { Stored } from "../state/stored.ts";
import { type Grant, may, type Principal } from "./principal.ts";

/** How a caller sees the extensions of an organization that it may see at all. */
export interface Viewer {
  /** The same for callers that see the same; empty for those that see everything. */
  readonly key: string;
  /** An extension as the caller sees it: without the names of tenants that it may not read. */
  seen(extension: Stored<WasmExtension>): Stored<WasmExtension>;
}

/** How a caller sees the extensions of an organization. */
export function viewerOf({ grants }: Principal, organization: string): Viewer {
  if (may({ grants }, "READ", organization)) {
    return everything;
  }
  const { key, tenants } = readableIn(grants, organization);
  return {
    key,
    seen: (extension) =>
      may({ grants }, "READ", extension.message.fqn)
        ? extension
        : withTenants(extension, (tenant) => tenants.has(tenant)),
  };
}

/** Sees everything. */
export const everything: Viewer = { key: "", seen: (extension) => extension };

/** Returns an extension of a state if a caller may read it. */
export function findVisible(
  state: State,
  principal: Principal,
  fqn: string,
): Stored<WasmExtension> | undefined {
  const extension = findExtension(state, fqn);
  return extension !== undefined &&
    (may(principal, "READ", fqn) ||
      isUsableByAny(state, readableIn(principal.grants, organizationOf(fqn)).tenants, extension))
    ? extension
    : undefined;
}

/** Up to this number of tenants are looked up in the index of the state; more are put into a set. */
const fewTenants = 16;

function isUsableByAny(
  state: State,
  tenants: ReadonlySet<string>,
  { message }: Stored<WasmExtension>,
): boolean {
  return message.allowedIn.length === 0 || tenants.size <= fewTenants
    ? tenants.values().some((tenant) => isListed(state, tenant, message))
    : message.allowedIn.some((tenant) => tenants.has(tenant));
}

/** The resources below an organization that grants to read name. */
interface Readable {
  /** Differs where what they name differs: a digest, since they may name thousands. */
  readonly key: string;
  readonly tenants: ReadonlySet<string>;
}

const nothing: Readable = { key: "nothing", tenants: new Set() };

/** The resources that lists of grants make readable, by organization. A list does not change. */
const known = new WeakMap<readonly Grant[], ReadonlyMap<string, Readable>>();

function readableIn(grants: readonly Grant[], organization: string): Readable {
  let byOrganization = known.get(grants);
  if (byOrganization === undefined) {
    const resources = grants
      .filter(({ permissions }) => permissions.includes("READ"))
      .map(({ resource }) => resource)
      .sort();
    byOrganization = new Map(
      [...Map.groupBy(resources, organizationOf)].map(([name, named]) => [name, readable(named)]),
    );
    known.set(grants, byOrganization);
  }
  return byOrganization.get(organization) ?? nothing;
}

function readable(resources: readonly string[]): Readable {
  return {
    key: hash("sha256", resources.join(" "), "base64url"),
    tenants: new Set(resources.filter((resource) => organizationOfTenant(resource) !== undefined)),
  };
}

function withTenants(
  extension: Stored<WasmExtension>,
  isReadable: (tenant: string) => boolean,
): Stored<WasmExtension> {
  const { message, bytes } = extension;
  if (message.allowedIn.every(isReadable)) {
    return extension;
  }
  const { number } = WasmExtensionSchema.field.allowedIn;
  return {
    ...extension,
    message: { ...message, allowedIn: message.allowedIn.filter(isReadable) },
    bytes: withoutEntries(bytes, number, isReadable),
  };
}
