import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { notFound } from "../errors.ts";
import type { Principal } from "../access/principal.ts";
import { findVisible, viewerOf } from "../access/viewer.ts";
import { organizationOf, organizationOfTenant } from "../names/fqn.ts";
import { compareExecution, type ExecutionKey } from "../state/order.ts";
import { extensionsIn, findExtension, type State, usableIn } from "../state/state.ts";
import type { Stored } from "../state/stored.ts";

/**
 * Returns an extension as a caller sees it.
 *
 * Raises a CatalogError of the kind not-found if it does not exist, or the caller may not read it.
 */
export function readExtension(
  state: State,
  principal: Principal,
  fqn: string,
): Stored<WasmExtension> {
  const extension = findVisible(state, principal, fqn);
  if (extension === undefined) {
    throw notFound(fqn);
  }
  return viewerOf(principal, organizationOf(fqn)).seen(extension);
}

/**
 * Returns an extension.
 *
 * Raises a CatalogError of the kind not-found if it does not exist.
 */
export function getExtension(state: State, fqn: string): Stored<WasmExtension> {
  const extension = findExtension(state, fqn);
  if (extension === undefined) {
    throw notFound(fqn);
  }
  return extension;
}

/**
 * The extensions of a scope in execution order, beginning after `after`: all of an organization's,
 * or those that a tenant may use. Lazy: the cost grows with the number of extensions that are read.
 *
 * @param scope - the fqn of an organization or of a tenant
 */
export function extensionsOf(
  state: State,
  scope: string,
  after?: ExecutionKey,
): Iterable<Stored<WasmExtension>> {
  const organization = organizationOfTenant(scope);
  return organization === undefined
    ? extensionsIn(state, scope, after)
    : inExecutionOrder(usableIn(state, organization, after), usableIn(state, scope, after));
}

/** Merges two lists, both in execution order and without an extension in common. */
function* inExecutionOrder(
  left: Iterator<Stored<WasmExtension>>,
  right: Iterator<Stored<WasmExtension>>,
): Generator<Stored<WasmExtension>, void> {
  let [a, b] = [left.next(), right.next()];
  while (a.done !== true || b.done !== true) {
    if (
      b.done === true ||
      (a.done !== true && compareExecution(a.value.message, b.value.message) < 0)
    ) {
      yield a.value as Stored<WasmExtension>;
      a = left.next();
    } else {
      yield b.value;
      b = right.next();
    }
  }
}
