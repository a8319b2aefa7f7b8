import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { isUnder, organizationOf } from "../names/fqn.ts";
import { attachmentSetsUnder } from "./attachment-reads.ts";
import { extensionsOf } from "./extension-reads.ts";
import type { Principal } from "../access/principal.ts";
import { viewerOf } from "../access/viewer.ts";
import type { Reader } from "../store.ts";
import { type Listing, type ListRequest, listPage, type Page } from "./pages.ts";
import { findAttachments, findExtension, isListed } from "../state/state.ts";

/** Lists extensions as a caller sees them; see listPage. */
export function listExtensions(
  reader: Reader,
  principal: Principal,
  request: ListRequest,
): Page<WasmExtension> {
  const page = listPage(reader, extensionListing, request, principal.name);
  const viewer = viewerOf(principal, organizationOf(request.parent));
  return { ...page, items: page.items.map((item) => viewer.seen(item)) };
}

/** Lists attachment sets; see listPage. */
export function listAttachments(
  reader: Reader,
  principal: Principal,
  request: ListRequest,
): Page<AttachmentSet> {
  return listPage(reader, attachmentListing, request, principal.name);
}

/** Extensions of an organization, or those that a tenant may use, in execution order. */
export const extensionListing: Listing<WasmExtension> = {
  name: "extensions",
  walk(state, scope, after) {
    if (after === undefined) {
      return extensionsOf(state, scope);
    }
    // A forged token must not reveal whether an extension exists that the tenant may not use.
    const last = findExtension(state, after)?.message;
    return last !== undefined && isListed(state, scope, last)
      ? extensionsOf(state, scope, last)
      : undefined;
  },
  find(state, scope, fqn) {
    const extension = findExtension(state, fqn);
    return extension !== undefined && isListed(state, scope, extension.message)
      ? extension
      : undefined;
  },
};

/** Attachment sets under an organization, tenant, workspace or group, by fqn. */
export const attachmentListing: Listing<AttachmentSet> = {
  name: "attachments",
  walk: (state, parent, after) =>
    after === undefined || (isUnder(parent, after) && findAttachments(state, after) !== undefined)
      ? attachmentSetsUnder(state, parent, after)
      : undefined,
  find: (state, _parent, fqn) => findAttachments(state, fqn),
};
