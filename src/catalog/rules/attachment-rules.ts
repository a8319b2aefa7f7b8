import { buildPath, type Path, type PathBuilder } from "@bufbuild/protobuf/reflect";
import {
  type WasmExtensionAttachment,
  WasmExtensionAttachmentSchema,
  TrafficSelectorSchema,
  WorkloadMode as Mode,
} from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import {
  type SetAttachmentsRequest,
  SetAttachmentsRequestSchema,
} from "../../../gen/wasmext/v1/attachment_service_pb.ts";
import {
  type AttachmentSet,
  AttachmentSetSchema,
} from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { FieldViolation } from "../errors.ts";
import { problemOfEtag } from "./etag.ts";
import { excerpt } from "../names/excerpt.ts";
import { fieldViolation, type PathMaker } from "./field-violation.ts";
import { isExtension, organizationOfExtension } from "../names/fqn.ts";
import { validated } from "./validate.ts";
import { isTarget, type Target, targetOf } from "../names/target.ts";
import { problemsOfWorkloads } from "./workload-selector.ts";

/**
 * A request to set the attachments of a target.
 *
 * Raises a CatalogError of the kind invalid.
 */
export function acceptedSet(request: SetAttachmentsRequest): SetAttachmentsRequest {
  return validated(SetAttachmentsRequestSchema, request, () => problemsOfAttachments(request));
}

/**
 * Finds violations that the proto's rules cannot express: an etag that this server did not give,
 * workloads that Kubernetes cannot have, an fqn that is not an extension's, an extension of another
 * organization, and a match that never matches on a gateway.
 */
function problemsOfAttachments({ attachmentSet }: SetAttachmentsRequest): FieldViolation[] {
  if (attachmentSet === undefined) {
    return [];
  }
  const at = (): PathBuilder =>
    buildPath(SetAttachmentsRequestSchema).field(SetAttachmentsRequestSchema.field.attachmentSet);
  const { workloadSelector } = attachmentSet;
  const workloads = (): PathBuilder => at().field(AttachmentSetSchema.field.workloadSelector);
  return [
    ...problemsOfEtag(attachmentSet, at),
    ...(workloadSelector ? problemsOfWorkloads(workloadSelector, workloads) : []),
    ...problemsOfList(attachmentSet, at),
  ];
}

function problemsOfEtag({ etag }: AttachmentSet, at: PathMaker): FieldViolation[] {
  // Without an etag a set is created.
  const problem = etag === "" ? undefined : problemOfEtag(etag);
  return problem === undefined
    ? []
    : [fieldViolation(at().field(AttachmentSetSchema.field.etag).toPath(), "etag", problem)];
}

function problemsOfList({ fqn, extension }: AttachmentSet, set: PathMaker): FieldViolation[] {
  if (!isTarget(fqn)) {
    return [];
  }
  const target = targetOf(fqn);
  return extension.flatMap((attachment, index) => {
    const at = (): PathBuilder => set().field(AttachmentSetSchema.field.extension).list(index);
    return [...problemsOfName(attachment, target, at), ...problemsOfMatch(attachment, target, at)];
  });
}

function problemsOfName(
  { fqn }: WasmExtensionAttachment,
  { organization }: Target,
  at: PathMaker,
): FieldViolation[] {
  const path = (): Path => at().field(WasmExtensionAttachmentSchema.field.fqn).toPath();
  if (!isExtension(fqn)) {
    const text = `${excerpt(fqn)} is not the fqn of an extension; write ${organization}/extensions/{name}`;
    return [fieldViolation(path(), "attachment_fqn", text)];
  }
  if (organizationOfExtension(fqn) !== organization) {
    const text = `${fqn} belongs to another organization; attach one of ${organization}`;
    return [fieldViolation(path(), "attachment_organization", text)];
  }
  return [];
}

function problemsOfMatch(
  { match }: WasmExtensionAttachment,
  { isGateway }: Target,
  at: PathMaker,
): FieldViolation[] {
  return match.flatMap(({ mode }, index) => {
    if (!isGateway || mode !== Mode.SERVER) {
      return [];
    }
    const path = at()
      .field(WasmExtensionAttachmentSchema.field.match)
      .list(index)
      .field(TrafficSelectorSchema.field.mode)
      .toPath();
    const text =
      "SERVER never matches on a gateway, whose traffic counts as CLIENT; use CLIENT or CLIENT_AND_SERVER";
    return [fieldViolation(path, "gateway_mode", text)];
  });
}
