/*
 * The errors that end a watch. Each names the next_revision from which nothing is missed; 0 says that
 * the watch has to begin anew.
 */
import { CatalogError } from "../errors.ts";

const remedy = "begin with start_revision 0";

/** The start revision belongs to another incarnation. */
export function otherIncarnation(
  parent: string,
  revision: bigint,
  incarnation: string,
): CatalogError {
  return new CatalogError({
    kind: "out-of-range",
    reason: "OTHER_INCARNATION",
    message: `revision ${revision} of ${parent} belongs to another incarnation of the catalog, which has begun anew since; ${remedy}`,
    metadata: { parent, incarnation, next_revision: "0" },
  });
}

/** Some commits since the start revision are no longer kept. */
export function revisionNotKept(parent: string, revision: bigint, oldest: bigint): CatalogError {
  return new CatalogError({
    kind: "out-of-range",
    reason: "REVISION_NOT_KEPT",
    message: `revision ${revision} of ${parent} is no longer kept; the oldest is ${oldest}; ${remedy}`,
    metadata: { parent, oldest_revision: String(oldest), next_revision: "0" },
  });
}

/** The reader has fallen behind, and what comes next is still kept. */
export function fallenBehind(next: bigint): CatalogError {
  return tooSlow(next, next, "it has fallen too far behind; resume from it");
}

/** The reader has fallen behind, and what comes next is no longer kept. */
export function unreadNotKept(unread: bigint): CatalogError {
  return tooSlow(unread, 0n, `what it has not read is no longer kept; ${remedy}`);
}

/** The reader has not read the present state while it was kept. */
export function snapshotNotKept(revision: bigint): CatalogError {
  return tooSlow(revision, 0n, `the state that it began with is no longer kept; ${remedy}`);
}

function tooSlow(unread: bigint, next: bigint, problem: string): CatalogError {
  return new CatalogError({
    kind: "too-slow",
    reason: "READER_TOO_SLOW",
    message: `the reader is too slow: it has not read revision ${unread}, and ${problem}`,
    metadata: { next_revision: String(next) },
  });
}
