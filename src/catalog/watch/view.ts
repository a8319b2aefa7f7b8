/*
 * What the watchers of an organization or a tenant see of a commit. An extension that a tenant may no
 * longer use is deleted for it, whatever the change is (`viewOf`); what a narrowing takes from the tenant's
 * own attachment sets is in the same commit (writes/detach.ts), and message.ts makes events of it all.
 */
import type { Viewer } from "../access/viewer.ts";
import { type Change, isOfExtension } from "../state/commit.ts";
import { isUnder, tenantOf } from "../names/fqn.ts";
import type { HistoryEntry } from "../state/history.ts";
import { isInScope, type Usability } from "../state/scope.ts";

/** How a scope sees a change. */
export type View = "put" | "deleted";

/** A change as a scope sees it. */
export interface SeenChange {
  readonly change: Change;
  readonly view: View;
}

/** Changes of attachments by tenant; changes of extensions under the empty string. */
export type ChangesByTenant = ReadonlyMap<string, readonly Change[]>;

/** The greatest number of changes that are scanned for each tenant. */
export const maxScannedChanges = 16;

/** Groups the changes of a large commit, so that a tenant's watch does not scan all of them. */
export function changesByTenant({ changes }: HistoryEntry): ChangesByTenant {
  return Map.groupBy(changes, (change) => (isOfExtension(change) ? "" : tenantOf(change.fqn)));
}

/**
 * What a scope sees of a commit: changes of extensions before those of the attachments that go with
 * them.
 *
 * @param scope - the fqn of the commit's organization, or of one of its tenants
 * @param byTenant - the changes by tenant, if the commit is large
 */
export function seenBy(
  entry: HistoryEntry,
  scope: string,
  byTenant?: ChangesByTenant,
): readonly SeenChange[] {
  const changes =
    scope === entry.organization || byTenant === undefined
      ? entry.changes
      : [...(byTenant.get("") ?? []), ...(byTenant.get(scope) ?? [])];
  const seen: SeenChange[] = [];
  for (const change of changes) {
    const view = viewOf(change, entry, scope);
    if (view !== "hidden") {
      seen.push({ change, view });
    }
  }
  return seen;
}

function viewOf(change: Change, { replaced }: HistoryEntry, scope: string): View | "hidden" {
  const { fqn } = change;
  switch (change.kind) {
    case "put-extension":
      return isInScope(scope, change.extension.message)
        ? "put"
        : goneFrom(scope, replaced.get(fqn));
    case "delete-extension":
      return goneFrom(scope, replaced.get(fqn));
    case "put-attachments":
      return isUnder(scope, fqn) ? "put" : "hidden";
    case "delete-attachments":
      return isUnder(scope, fqn) ? "deleted" : "hidden";
  }
}

/** A change is hidden from scopes that did not see the extension before. */
function goneFrom(scope: string, before: Usability | undefined): View | "hidden" {
  return before !== undefined && isInScope(scope, before) ? "deleted" : "hidden";
}

/** A change as a viewer sees it; the same one if the viewer sees all of it. */
export function asSeen(seen: SeenChange, viewer: Viewer): SeenChange {
  const { change, view } = seen;
  if (view !== "put" || change.kind !== "put-extension") {
    return seen;
  }
  const extension = viewer.seen(change.extension);
  return extension === change.extension ? seen : { change: { ...change, extension }, view };
}
