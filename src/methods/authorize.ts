import { may, type Principal } from "../catalog/access/principal.ts";
import { findVisible } from "../catalog/access/viewer.ts";
import { notFound, permissionDenied } from "../catalog/errors.ts";
import type { State } from "../catalog/state/state.ts";
import type { Access } from "./method.ts";

/**
 * Checks that the caller of an accepted request has the permission that it needs.
 *
 * Raises a CatalogError: of the kind not-found if the caller may not even read the resource, as if it did
 * not exist, else of the kind permission-denied.
 */
export function authorize<Request>(
  access: Access<Request>,
  request: Request,
  principal: Principal,
  state: State,
): void {
  if (typeof access === "string") {
    return;
  }
  const { permission } = access;
  const fqn = access.resource(request);
  if (may(principal, permission, fqn)) {
    return;
  }
  if (!may(principal, "READ", fqn) && findVisible(state, principal, fqn) === undefined) {
    throw notFound(fqn);
  }
  if (permission !== "READ") {
    throw permissionDenied(principal, permission, fqn);
  }
}
