import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { attachmentSetsUnder, isUnder } from "./attachment-reads.ts";
import { extensionsOf } from "./extension-reads.ts";
import type { Listing } from "./pages.ts";
import { findAttachments, findExtension, isListed } from "../state/state.ts";

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
