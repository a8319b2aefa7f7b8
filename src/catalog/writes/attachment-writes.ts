/*
 * Writes to attachment sets: plans that check an accepted request against a state, and say what to change.
 */
import { create, equals } from "@bufbuild/protobuf";
import {
  type DeleteAttachmentsRequest,
  type DeleteAttachmentsResponse,
  DeleteAttachmentsResponseSchema,
  type SetAttachmentsRequest,
} from "../../../gen/wasmext/v1/attachment_service_pb.ts";
import {
  type AttachmentSet,
  AttachmentSetSchema,
} from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { Principal } from "../access/principal.ts";
import { findVisible } from "../access/viewer.ts";
import { getAttachments } from "../reads/attachment-reads.ts";
import { etagOfNothing, missingEtag, staleEtag, unusableExtension } from "../errors.ts";
import { organizationOf } from "../names/fqn.ts";
import type { Plan } from "./plan.ts";
import { findAttachments, isListed, type State } from "../state/state.ts";
import { type Stored, storedOf } from "../state/stored.ts";
import { targetOf } from "../names/target.ts";

/**
 * Creates or replaces the attachments of a target; answers with the set as it is stored. The caller has to
 * be allowed to read the attached extensions.
 */
export function setAttachments(
  request: SetAttachmentsRequest,
  principal: Principal,
): Plan<Stored<AttachmentSet>> {
  const attachmentSet = request.attachmentSet ?? create(AttachmentSetSchema);
  const { fqn } = attachmentSet;
  return {
    organization: organizationOf(fqn),
    reads: [fqn, ...attachmentSet.extension.map((attachment) => attachment.fqn)],
    *decide(state) {
      const current = findAttachments(state, fqn);
      checkEtag(current?.message, attachmentSet);
      checkUsable(state, principal, attachmentSet);
      if (current !== undefined && equals(AttachmentSetSchema, current.message, attachmentSet)) {
        return { changes: [], detached: [], answer: current };
      }
      const answer = storedOf(AttachmentSetSchema, attachmentSet);
      const changes = [{ kind: "put-attachments" as const, fqn, attachmentSet: answer }];
      return { changes, detached: [], answer };
    },
  };
}

/** Deletes the attachments of a target. */
export function deleteAttachments({
  fqn,
}: DeleteAttachmentsRequest): Plan<DeleteAttachmentsResponse> {
  return {
    organization: organizationOf(fqn),
    reads: [fqn],
    *decide(state) {
      getAttachments(state, fqn);
      const changes = [{ kind: "delete-attachments" as const, fqn }];
      return { changes, detached: [], answer: create(DeleteAttachmentsResponseSchema) };
    },
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

function checkUsable(
  state: State,
  principal: Principal,
  { fqn: target, extension: attachments }: AttachmentSet,
): void {
  const { tenant } = targetOf(target);
  for (const fqn of new Set(attachments.map((attachment) => attachment.fqn))) {
    const extension = findVisible(state, principal, fqn);
    // One answer for all, so that a tenant learns nothing of extensions that it may not use.
    if (extension === undefined || !isListed(state, tenant, extension.message)) {
      throw unusableExtension(fqn, tenant);
    }
  }
}
