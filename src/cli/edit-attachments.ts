import { create } from "@bufbuild/protobuf";
import {
  type WasmExtensionAttachment,
  WasmExtensionAttachmentSchema,
} from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { type AttachmentSet, AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { findObject } from "./catalog-objects.ts";
import type { Clients } from "./clients.ts";
import { isOvertaken, type Outcome, putAttachmentSet } from "./put.ts";

/**
 * The greatest number of retries after a conflict. Each conflict is another writer's success, so this many
 * concurrent writers are handled.
 */
const maxAttempts = 100;

/**
 * Edits the present attachment set of a target; repeats the edit if someone else writes the set meanwhile.
 *
 * @param edit - is given an empty set where the target has none; returns undefined to leave it alone
 */
export async function editAttachments(
  clients: Clients,
  target: string,
  edit: (attachmentSet: AttachmentSet) => AttachmentSet | undefined,
): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    const found = await findObject(clients, target);
    const present = found?.attachmentSets[0] ?? create(AttachmentSetSchema, { fqn: target });
    const edited = edit(present);
    if (edited === undefined) {
      return "unchanged";
    }
    try {
      return await putAttachmentSet(clients, edited, present.etag);
    } catch (error) {
      if (!isOvertaken(error) || attempt === maxAttempts) {
        throw error;
      }
    }
  }
}

/** The set with an attachment of an extension changed, its first one, or added at the end. */
export function withAttachment(
  attachmentSet: AttachmentSet,
  fqn: string,
  change: (attachment: WasmExtensionAttachment) => WasmExtensionAttachment,
): AttachmentSet {
  const { extension } = attachmentSet;
  const found = extension.findIndex((attachment) => attachment.fqn === fqn);
  const index = found < 0 ? extension.length : found;
  const present = extension[index] ?? create(WasmExtensionAttachmentSchema, { fqn });
  const changed = [...extension];
  changed[index] = change(present);
  return { ...attachmentSet, extension: changed };
}
