/*
 * What a caller sees of extensions: those that a grant to read covers, and those that a tenant may use
 * whose grant it has. Of who else may use them, it sees the tenants that it may read.
 */
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { withoutEntries } from "../../wire/without-entries.ts";
import { organizationOf, organizationOfTenant } from "../names/fqn.ts";
import { findExtension, isListed, type State } from "../state/state.ts";
import type { Stored } from "../state/stored.ts";
import { may, type Principal } from "./principal.ts";

/** How a caller sees the extensions of an organization that it may see at all. */
export interface Viewer {
  /** The same for callers that see the same; empty for those that see everything. */
  readonly key: string;
  /** An extension as the caller sees it: without the names of tenants that it may not read. */
  seen(extension: Stored<WasmExtension>): Stored<WasmExtension>;
}

/** How a caller sees the extensions of an organization. */
export function viewerOf(principal: Principal, organization: string): Viewer {
  if (may(principal, "READ", organization)) {
    return everything;
  }
  const readable = readableIn(principal, organization);
  return {
    key: readable.join(" "),
    seen: (extension) =>
      may(principal, "READ", extension.message.fqn)
        ? extension
        : withTenants(extension, (tenant) => readable.includes(tenant)),
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
      readableIn(principal, organizationOf(fqn)).some(
        (resource) =>
          organizationOfTenant(resource) !== undefined &&
          isListed(state, resource, extension.message),
      ))
    ? extension
    : undefined;
}

/** What grants to read name in an organization, below it: tenants, extensions and the rest, sorted. */
function readableIn({ grants }: Principal, organization: string): string[] {
  return grants
    .filter(
      ({ permissions, resource }) =>
        permissions.includes("READ") && organizationOf(resource) === organization,
    )
    .map(({ resource }) => resource)
    .sort();
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
