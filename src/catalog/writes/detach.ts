/*
 * The cascade of a write: when an extension is deleted, or withdrawn from tenants, the same commit
 * removes its attachments there. A set that loses its last attachment stays, since its workload selector
 * is the tenant's.
 *
 * An extension may have thousands of targets, so the work yields after each.
 */
import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { AttachmentSetSchema } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { Change, Detachment } from "../state/commit.ts";
import { usableUnder } from "../state/scope.ts";
import { findAttachments, type State, targetsOf } from "../state/state.ts";
import { storedOf } from "../state/stored.ts";
import { targetOf } from "../names/target.ts";

/** The changes of a cascade. */
export interface Cascade {
  readonly changes: readonly Change[];
  readonly detached: readonly Detachment[];
}

/** Removes an extension from every set that attaches it. */
export function detachEverywhere(state: State, extension: string): Generator<void, Cascade> {
  return detach(state, extension, () => true);
}

/** Removes an extension from the sets of tenants that may no longer use it. */
export function* detachWhereWithdrawn(
  state: State,
  before: WasmExtension,
  after: WasmExtension,
): Generator<void, Cascade> {
  const lists = usableUnder(after);
  if (lists.isSupersetOf(usableUnder(before))) {
    return { changes: [], detached: [] };
  }
  return yield* detach(state, after.fqn, (target) => {
    const { tenant, organization } = targetOf(target);
    return !lists.has(tenant) && !lists.has(organization);
  });
}

function* detach(
  state: State,
  extension: string,
  isWithdrawn: (target: string) => boolean,
): Generator<void, Cascade> {
  const changes: Change[] = [];
  const detached: Detachment[] = [];
  for (const target of targetsOf(state, extension)) {
    const current = findAttachments(state, target)?.message;
    if (current !== undefined && isWithdrawn(target)) {
      const left = current.extension.filter(({ fqn }) => fqn !== extension);
      const changed = { ...current, extension: left };
      changes.push({
        kind: "put-attachments",
        fqn: target,
        attachmentSet: storedOf(AttachmentSetSchema, changed),
      });
      for (const [position, attachment] of current.extension.entries()) {
        if (attachment.fqn === extension) {
          detached.push({ target, position, attachment });
        }
      }
    }
    yield;
  }
  return { changes, detached };
}
