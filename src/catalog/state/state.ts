/*
 * The state of the catalog at one revision, as a value.
 *
 * 1. A state never changes. A commit makes a new state, which shares with the old one what the commit
 *    does not change. So a reader can keep a consistent state for as long as it likes.
 * 2. `apply` is the only way from one state to the next.
 * 3. Each organization has its own trees, since no rule crosses organizations: a snapshot of one
 *    organization holds nothing of the others.
 * 4. Lists are kept in execution order at write; no read sorts or scans.
 */

import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { Change } from "./commit.ts";
import { organizationOf } from "../names/fqn.ts";
import { compareExecution, compareText, type ExecutionKey, firstExecutionKey } from "./order.ts";
import { usableUnder } from "./scope.ts";
import { SortedMap } from "./sorted-map.ts";
import type { Stored } from "./stored.ts";
import { finished } from "./turns.ts";

/** All that the catalog holds at one revision. */
export interface State {
  readonly revision: bigint;
  /** By fqn, without empty organizations. */
  readonly organizations: SortedMap<string, Organization>;
}

/** All that an organization holds. */
export interface Organization {
  readonly extensions: SortedMap<string, Stored<WasmExtension>>;
  /** All extensions, in execution order. */
  readonly ordered: SortedMap<ExecutionKey, Stored<WasmExtension>>;
  /** The extensions that are open to all, by the organization's fqn; those that name a tenant, by its fqn. */
  readonly usable: SortedMap<ListKey, Stored<WasmExtension>>;
  /** By the fqn of the target. */
  readonly attachmentSets: SortedMap<string, Stored<AttachmentSet>>;
  /** The targets that attach an extension, by the extension's fqn and then the target's. */
  readonly targets: SortedMap<AttachedKey, string>;
}

/** A place in a list: which list, and the extension's key in the execution order. */
export interface ListKey extends ExecutionKey {
  readonly list: string;
}

/** An entry of the index from extensions to the targets that attach them. */
export interface AttachedKey {
  readonly extension: string;
  readonly target: string;
}

/** The state of an empty catalog. */
export function emptyState(): State {
  return {
    revision: 0n,
    organizations: new SortedMap<string, Organization>(undefined, compareText),
  };
}

/** The state with one organization alone. */
export function stateWithin(state: State, fqn: string): State {
  const organizations = new SortedMap<string, Organization>(undefined, compareText);
  const organization = state.organizations.get(fqn);
  if (organization !== undefined) {
    organizations.set(fqn, organization);
  }
  return { revision: state.revision, organizations };
}

/** Changes of one organization. */
interface Changes {
  /** The organization's fqn. */
  readonly organization: string;
  readonly changes: readonly Change[];
}

/** The next state of an organization, made ahead of the commit. */
export interface Prepared {
  /** The state that it was made from; undefined if the organization was empty. */
  readonly base: Organization | undefined;
  readonly next: Organization;
}

/**
 * The state after changes of one organization.
 *
 * Raises a RangeError if the changes were prepared for another state of the organization.
 */
export function apply(
  state: State,
  { revision, organization, changes }: Changes & { readonly revision: bigint },
  prepared: Prepared = finished(prepare(state, { organization, changes })),
): State {
  const { base, next } = prepared;
  if (base !== state.organizations.get(organization)) {
    throw new RangeError(`revision ${revision} was prepared for another state of ${organization}`);
  }
  const organizations = state.organizations.clone();
  if (next.extensions.size === 0 && next.attachmentSets.size === 0) {
    organizations.delete(organization);
  } else {
    organizations.set(organization, next);
  }
  return { revision, organizations };
}

/** Makes the next state of an organization; yields where other work may run. */
export function* prepare(
  state: State,
  { organization, changes }: Changes,
): Generator<void, Prepared> {
  const base = state.organizations.get(organization);
  const next = cloned(base);
  for (const [index, change] of changes.entries()) {
    if (index > 0) {
      yield;
    }
    carryOut(change, next);
  }
  return { base, next };
}

function carryOut(change: Change, next: Organization): void {
  switch (change.kind) {
    case "put-extension":
      removeExtension(next, change.fqn);
      insertExtension(next, change.extension);
      break;
    case "delete-extension":
      removeExtension(next, change.fqn);
      break;
    case "put-attachments":
      putAttachments(next, change.attachmentSet);
      break;
    case "delete-attachments":
      removeAttachments(next, change.fqn);
      break;
  }
}

/** The extension of a name; undefined if it does not exist. */
export function findExtension(state: State, fqn: string): Stored<WasmExtension> | undefined {
  return organizationIn(state, fqn)?.extensions.get(fqn);
}

/** The attachments of a target; undefined if it has none. */
export function findAttachments(state: State, target: string): Stored<AttachmentSet> | undefined {
  return organizationIn(state, target)?.attachmentSets.get(target);
}

/** The organization that an fqn is in; undefined if it is empty. */
export function organizationIn(state: State, fqn: string): Organization | undefined {
  return state.organizations.get(organizationOf(fqn));
}

/** The extensions of an organization in execution order, beginning after `after`. */
export function* extensionsIn(
  state: State,
  organization: string,
  after: ExecutionKey = firstExecutionKey,
): Generator<Stored<WasmExtension>, void> {
  const ordered = state.organizations.get(organization)?.ordered;
  for (const [key, extension] of ordered?.entries(after) ?? []) {
    if (compareExecution(key, after) !== 0) {
      yield extension;
    }
  }
}

/**
 * The extensions that are open to all of an organization, or that name a tenant, in execution order,
 * beginning after `after`.
 *
 * @param list - the fqn of an organization or of a tenant
 */
export function* usableIn(
  state: State,
  list: string,
  after: ExecutionKey = firstExecutionKey,
): Generator<Stored<WasmExtension>, void> {
  const usable = organizationIn(state, list)?.usable;
  for (const [key, extension] of usable?.entries(listKey(list, after)) ?? []) {
    if (key.list !== list) {
      return;
    }
    if (compareExecution(key, after) !== 0) {
      yield extension;
    }
  }
}

/**
 * Tells whether a scope sees an extension of the state, as `isInScope` does, at a cost that does not depend
 * on `allowed_in`.
 *
 * @param scope - the fqn of an organization or of a tenant
 */
export function isListed(state: State, scope: string, extension: ExecutionKey): boolean {
  const organization = organizationOf(extension.fqn);
  const usable = state.organizations.get(organization)?.usable;
  return (
    scope === organization ||
    (usable !== undefined &&
      organizationOf(scope) === organization &&
      (usable.has(listKey(scope, extension)) || usable.has(listKey(organization, extension))))
  );
}

/** The targets that attach an extension, by fqn. */
export function* targetsOf(state: State, extension: string): Generator<string, void> {
  const targets = organizationIn(state, extension)?.targets;
  for (const [key, target] of targets?.entries({ extension, target: "" }) ?? []) {
    if (key.extension !== extension) {
      return;
    }
    yield target;
  }
}

/** Tells whether a target attaches an extension. */
export function isAttached(state: State, extension: string, target: string): boolean {
  return organizationIn(state, extension)?.targets.has({ extension, target }) === true;
}

function cloned(organization: Organization | undefined): Organization {
  return organization === undefined
    ? {
        extensions: new SortedMap<string, Stored<WasmExtension>>(undefined, compareText),
        ordered: new SortedMap<ExecutionKey, Stored<WasmExtension>>(undefined, compareExecution),
        usable: new SortedMap<ListKey, Stored<WasmExtension>>(undefined, compareListKeys),
        attachmentSets: new SortedMap<string, Stored<AttachmentSet>>(undefined, compareText),
        targets: new SortedMap<AttachedKey, string>(undefined, compareAttachedKeys),
      }
    : {
        extensions: organization.extensions.clone(),
        ordered: organization.ordered.clone(),
        usable: organization.usable.clone(),
        attachmentSets: organization.attachmentSets.clone(),
        targets: organization.targets.clone(),
      };
}

function insertExtension(next: Organization, extension: Stored<WasmExtension>): void {
  const { message } = extension;
  next.extensions.set(message.fqn, extension);
  // The message is its own key: it is frozen.
  next.ordered.set(message, extension);
  for (const list of usableUnder(message)) {
    next.usable.set(listKey(list, message), extension);
  }
}

function removeExtension(next: Organization, fqn: string): void {
  const extension = next.extensions.get(fqn)?.message;
  if (extension === undefined) {
    return;
  }
  next.extensions.delete(fqn);
  next.ordered.delete(extension);
  for (const list of usableUnder(extension)) {
    next.usable.delete(listKey(list, extension));
  }
}

function putAttachments(next: Organization, attachmentSet: Stored<AttachmentSet>): void {
  const target = attachmentSet.message.fqn;
  const before = attachedIn(next.attachmentSets.get(target));
  const after = attachedIn(attachmentSet);
  for (const extension of before) {
    if (!after.has(extension)) {
      next.targets.delete({ extension, target });
    }
  }
  for (const extension of after) {
    if (!before.has(extension)) {
      next.targets.set({ extension, target }, target);
    }
  }
  next.attachmentSets.set(target, attachmentSet);
}

function removeAttachments(next: Organization, target: string): void {
  for (const extension of attachedIn(next.attachmentSets.get(target))) {
    next.targets.delete({ extension, target });
  }
  next.attachmentSets.delete(target);
}

/** The extensions that a set attaches, each once. */
export function attachedIn(attachmentSet: Stored<AttachmentSet> | undefined): Set<string> {
  return new Set(attachmentSet?.message.extension.map(({ fqn }) => fqn));
}

/** The place of an extension in a list. */
export function listKey(list: string, { phase, priority, fqn }: ExecutionKey): ListKey {
  return { list, phase, priority, fqn };
}

/** The order of `Organization.usable`. */
export function compareListKeys(a: ListKey, b: ListKey): number {
  return compareText(a.list, b.list) || compareExecution(a, b);
}

/** The order of `Organization.targets`. */
export function compareAttachedKeys(a: AttachedKey, b: AttachedKey): number {
  return compareText(a.extension, b.extension) || compareText(a.target, b.target);
}
