import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { notFound } from "./errors.ts";
import { organizationOfExtension, organizationOfTenant } from "./fqn.ts";
import { compareExecution, type ExecutionKey } from "./order.ts";
import { mayUse, type Usability } from "./scope.ts";
import { readList, type State } from "./state.ts";

/**
 * Returns an extension.
 *
 * Raises a CatalogError of the kind not-found if there is none of that name.
 */
export function getExtension(state: State, fqn: string): WasmExtension {
  const extension = state.extensions.get(fqn);
  if (extension === undefined) {
    throw notFound(fqn);
  }
  return extension;
}

/**
 * The extensions of a scope in execution order, beginning after `after`: all of an organization's,
 * or those that a tenant may use. Costs what is taken from it, whatever the catalog holds.
 *
 * @param scope - the fqn of an organization or of a tenant
 */
export function extensionsOf(
  state: State,
  scope: string,
  after?: ExecutionKey,
): Iterable<WasmExtension> {
  const organization = organizationOfTenant(scope);
  return organization === undefined
    ? readList(state.owned, scope, after)
    : inExecutionOrder(
        readList(state.usable, organization, after),
        readList(state.usable, scope, after),
      );
}

/** Tells whether an extension belongs to a scope as `extensionsOf` lists it. */
export function isInScope(scope: string, extension: Usability): boolean {
  return organizationOfTenant(scope) === undefined
    ? organizationOfExtension(extension.fqn) === scope
    : mayUse(scope, extension);
}

/** Merges two lists, both in execution order and without an extension in common. */
function* inExecutionOrder(
  left: Iterator<WasmExtension>,
  right: Iterator<WasmExtension>,
): Generator<WasmExtension, void> {
  let [a, b] = [left.next(), right.next()];
  while (a.done !== true || b.done !== true) {
    if (b.done === true || (a.done !== true && compareExecution(a.value, b.value) < 0)) {
      yield a.value as WasmExtension;
      a = left.next();
    } else {
      yield b.value;
      b = right.next();
    }
  }
}
