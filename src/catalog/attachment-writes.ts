/*
 * Writes to attachment sets, in two steps as those to extensions are: validation without a state, and
 * a plan that checks against one.
 */
import { create, equals } from "@bufbuild/protobuf";
import {
  type DeleteAttachmentsRequest,
  DeleteAttachmentsRequestSchema,
  type DeleteAttachmentsResponse,
  DeleteAttachmentsResponseSchema,
  type SetAttachmentsRequest,
  SetAttachmentsRequestSchema,
} from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { type AttachmentSet, AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { getAttachments } from "./attachment-reads.ts";
import { problemsOfAttachments } from "./attachment-rules.ts";
import { etagOfNothing, missingEtag, staleEtag, unusableExtension } from "./errors.ts";
import type { Plan } from "./plan.ts";
import { sealed } from "./sealed.ts";
import { isUsableBy, type State } from "./state.ts";
import { targetOf } from "./target.ts";
import { validated } from "./validate.ts";

/** Creates or replaces the attachments of a target; answers with the set as it is stored. */
export function setAttachments(request: SetAttachmentsRequest): Plan<AttachmentSet> {
  validated(SetAttachmentsRequestSchema, request, () => problemsOfAttachments(request));
  const attachmentSet = request.attachmentSet ?? create(AttachmentSetSchema);
  return (state) => {
    const current = state.attachmentSets.get(attachmentSet.fqn);
    checkEtag(current, attachmentSet);
    checkUsable(state, attachmentSet);
    if (current !== undefined && equals(AttachmentSetSchema, current, attachmentSet)) {
      return { changes: [], answer: current };
    }
    const { stored, bytes } = sealed(AttachmentSetSchema, attachmentSet, state.revision);
    return {
      changes: [{ kind: "put-attachments", fqn: stored.fqn, attachmentSet: stored, bytes }],
      answer: stored,
    };
  };
}

/** Deletes the attachments of a target. */
export function deleteAttachments(
  request: DeleteAttachmentsRequest,
): Plan<DeleteAttachmentsResponse> {
  const { fqn } = validated(DeleteAttachmentsRequestSchema, request);
  return (state) => {
    getAttachments(state, fqn);
    return {
      changes: [{ kind: "delete-attachments", fqn }],
      answer: create(DeleteAttachmentsResponseSchema),
    };
  };
}

function checkEtag(current: AttachmentSet | undefined, { fqn, etag }: AttachmentSet): void {
  if (current === undefined && etag !== "") {
    throw etagOfNothing(fqn);
  }
  if (current !== undefined && etag === "") {
    throw missingEtag(fqn);
  }
  if (current !== undefined && etag !== current.etag) {
    throw staleEtag(fqn);
  }
}

function checkUsable(state: State, { fqn: target, extension: attachments }: AttachmentSet): void {
  const { tenant } = targetOf(target);
  for (const fqn of new Set(attachments.map((attachment) => attachment.fqn))) {
    const extension = state.extensions.get(fqn);
    // One answer for both, so that a tenant learns nothing of extensions that it may not use.
    if (extension === undefined || !isUsableBy(state, tenant, extension)) {
      throw unusableExtension(fqn, tenant);
    }
  }
}
