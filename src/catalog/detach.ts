/*
 * Attachments go with what they attach: these are the changes that a commit makes beside its own when
 * an extension goes away, or is withdrawn from tenants. A set that loses its last attachment stays, as
 * its workload selector is the tenant's.
 */
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { usableUnder } from "./scope.ts";
import { sealed } from "./sealed.ts";
import { type Change, type State, targetsOf } from "./state.ts";
import { targetOf } from "./target.ts";

/** Removes an extension from every set that attaches it. */
export function detachEverywhere(state: State, extension: string): Change[] {
  return [...targetsOf(state, extension)].flatMap((target) => detach(state, target, extension));
}

/** Removes an extension from the sets of tenants that may not use it any more. */
export function detachWhereWithdrawn(
  state: State,
  before: WasmExtension,
  after: WasmExtension,
): Change[] {
  const lists = usableUnder(after);
  if (lists.isSupersetOf(usableUnder(before))) {
    return [];
  }
  return [...targetsOf(state, after.fqn)]
    .filter((target) => {
      const { tenant, organization } = targetOf(target);
      return !lists.has(tenant) && !lists.has(organization);
    })
    .flatMap((target) => detach(state, target, after.fqn));
}

function detach(state: State, target: string, extension: string): Change[] {
  const current = state.attachmentSets.get(target);
  if (current === undefined) {
    return [];
  }
  const left = current.extension.filter(({ fqn }) => fqn !== extension);
  const { stored, bytes } = sealed(
    AttachmentSetSchema,
    { ...current, extension: left },
    state.revision,
  );
  return [{ kind: "put-attachments", fqn: target, attachmentSet: stored, bytes }];
}
