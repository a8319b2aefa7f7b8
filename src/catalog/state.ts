/*
 * The state of the catalog at one revision, as a value.
 *
 * 1. A state never changes. Applying a commit makes a new one, which shares with the old one all that
 *    the commit leaves alone, so a reader keeps a consistent state for as long as it likes.
 * 2. `apply` is the only way from one state to the next.
 * 3. Stored messages are frozen and shared by all states and readers that hold them.
 * 4. Lists are kept in execution order at write; no read sorts or scans.
 */

import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { organizationOfExtension, organizationOfTenant } from "./fqn.ts";
import { compareExecution, compareText, type ExecutionKey, firstExecutionKey } from "./order.ts";
import { usableUnder } from "./scope.ts";
import { SortedMap } from "./sorted-map.ts";

/** One change of one object. */
export type Change =
  | (Put & { readonly kind: "put-extension"; readonly extension: WasmExtension })
  | { readonly kind: "delete-extension"; readonly fqn: string }
  | (Put & { readonly kind: "put-attachments"; readonly attachmentSet: AttachmentSet })
  | { readonly kind: "delete-attachments"; readonly fqn: string };

/** What every put says. */
interface Put {
  readonly fqn: string;
  /** The encoded size of the object. */
  readonly bytes: number;
}

/** What one write changes, all under one revision. */
export interface Commit {
  readonly revision: bigint;
  readonly changes: readonly Change[];
}

/** A place in a list: which list, and where the execution order puts the extension in it. */
interface ListKey extends ExecutionKey {
  readonly list: string;
}

/** That a target attaches an extension. */
interface AttachedKey {
  readonly extension: string;
  readonly target: string;
}

type Lists = SortedMap<ListKey, WasmExtension>;

/** All that the catalog holds at one revision. */
export interface State {
  readonly revision: bigint;
  readonly extensions: SortedMap<string, WasmExtension>;
  /** Lists named by organization: all of its extensions. */
  readonly owned: Lists;
  /** Lists named by organization or tenant: what is open to all of it, or names the tenant. */
  readonly usable: Lists;
  /** By the fqn of the target. */
  readonly attachmentSets: SortedMap<string, AttachmentSet>;
  /** The targets that attach an extension, by the extension's fqn and then the target's. */
  readonly targets: SortedMap<AttachedKey, string>;
}

/** The state of a catalog that holds nothing. */
export function emptyState(): State {
  return {
    revision: 0n,
    extensions: new SortedMap<string, WasmExtension>(undefined, compareText),
    owned: new SortedMap<ListKey, WasmExtension>(undefined, compareListKeys),
    usable: new SortedMap<ListKey, WasmExtension>(undefined, compareListKeys),
    attachmentSets: new SortedMap<string, AttachmentSet>(undefined, compareText),
    targets: new SortedMap<AttachedKey, string>(undefined, compareAttachedKeys),
  };
}

/** The state after a commit. */
export function apply(state: State, { revision, changes }: Commit): State {
  const next: State = {
    revision,
    extensions: state.extensions.clone(),
    owned: state.owned.clone(),
    usable: state.usable.clone(),
    attachmentSets: state.attachmentSets.clone(),
    targets: state.targets.clone(),
  };
  for (const change of changes) {
    switch (change.kind) {
      case "put-extension":
        removeExtension(next, change.fqn);
        insertExtension(next, change.extension);
        break;
      case "delete-extension":
        removeExtension(next, change.fqn);
        break;
      case "put-attachments":
        removeAttachments(next, change.fqn);
        insertAttachments(next, change.attachmentSet);
        break;
      case "delete-attachments":
        removeAttachments(next, change.fqn);
        break;
    }
  }
  return next;
}

/** The extensions of one list, in execution order, beginning after `after`. */
export function* readList(
  lists: Lists,
  list: string,
  after?: ExecutionKey,
): Generator<WasmExtension, void> {
  const from: ListKey = listKey(list, after ?? firstExecutionKey);
  for (const [key, extension] of lists.entries(from)) {
    if (key.list !== list) {
      return;
    }
    if (after === undefined || compareExecution(key, after) !== 0) {
      yield extension;
    }
  }
}

/** Tells whether a tenant may use an extension, at the same cost whoever else may. */
export function isUsableBy(state: State, tenant: string, extension: WasmExtension): boolean {
  const organization = organizationOfExtension(extension.fqn);
  return (
    organizationOfTenant(tenant) === organization &&
    (state.usable.has(listKey(tenant, extension)) ||
      state.usable.has(listKey(organization, extension)))
  );
}

/** The targets that attach an extension, by fqn. */
export function* targetsOf(state: State, extension: string): Generator<string, void> {
  for (const [key, target] of state.targets.entries({ extension, target: "" })) {
    if (key.extension !== extension) {
      return;
    }
    yield target;
  }
}

function insertExtension(next: State, extension: WasmExtension): void {
  next.extensions.set(extension.fqn, extension);
  next.owned.set(listKey(organizationOfExtension(extension.fqn), extension), extension);
  for (const list of usableUnder(extension)) {
    next.usable.set(listKey(list, extension), extension);
  }
}

function removeExtension(next: State, fqn: string): void {
  const extension = next.extensions.get(fqn);
  if (extension === undefined) {
    return;
  }
  next.extensions.delete(fqn);
  next.owned.delete(listKey(organizationOfExtension(fqn), extension));
  for (const list of usableUnder(extension)) {
    next.usable.delete(listKey(list, extension));
  }
}

function insertAttachments(next: State, attachmentSet: AttachmentSet): void {
  const { fqn: target, extension: attachments } = attachmentSet;
  next.attachmentSets.set(target, attachmentSet);
  for (const { fqn: extension } of attachments) {
    next.targets.set({ extension, target }, target);
  }
}

function removeAttachments(next: State, target: string): void {
  for (const { fqn: extension } of next.attachmentSets.get(target)?.extension ?? []) {
    next.targets.delete({ extension, target });
  }
  next.attachmentSets.delete(target);
}

function listKey(list: string, { phase, priority, fqn }: ExecutionKey): ListKey {
  return { list, phase, priority, fqn };
}

function compareListKeys(a: ListKey, b: ListKey): number {
  return compareText(a.list, b.list) || compareExecution(a, b);
}

function compareAttachedKeys(a: AttachedKey, b: AttachedKey): number {
  return compareText(a.extension, b.extension) || compareText(a.target, b.target);
}
