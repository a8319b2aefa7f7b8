import type { AttachmentSet } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { notFound } from "../errors.ts";
import { findAttachments, organizationIn, type State } from "../state/state.ts";
import type { Stored } from "../state/stored.ts";

/**
 * Returns the attachments of a target.
 *
 * Raises a CatalogError of the kind not-found if it has none.
 */
export function getAttachments(state: State, target: string): Stored<AttachmentSet> {
  const attachmentSet = findAttachments(state, target);
  if (attachmentSet === undefined) {
    throw notFound(target);
  }
  return attachmentSet;
}

/**
 * The attachment sets under an organization, tenant, workspace or group, by fqn, beginning after the
 * target `after`. Lazy: the cost grows with the number of sets that are read.
 */
export function* attachmentSetsUnder(
  state: State,
  parent: string,
  after = "",
): Generator<Stored<AttachmentSet>, void> {
  // A security group is a target itself; what is under a parent begins with its fqn and a slash.
  const attachmentSets = organizationIn(state, parent)?.attachmentSets;
  const own = attachmentSets?.get(parent);
  if (own !== undefined && after < parent) {
    yield own;
  }
  const prefix = `${parent}/`;
  const from = after > prefix ? after : prefix;
  for (const [fqn, attachmentSet] of attachmentSets?.entries(from) ?? []) {
    if (!fqn.startsWith(prefix)) {
      return;
    }
    if (fqn !== after) {
      yield attachmentSet;
    }
  }
}
