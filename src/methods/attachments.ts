import {
  type AttachmentService,
  DeleteAttachmentsRequestSchema,
  DeleteAttachmentsResponseSchema,
  GetAttachmentsRequestSchema,
  GetAttachmentsResponseSchema,
  ListAttachmentsRequestSchema,
  ListAttachmentsResponseSchema,
  SetAttachmentsResponseSchema,
} from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { getAttachments } from "../catalog/reads/attachment-reads.ts";
import { acceptedSet } from "../catalog/rules/attachment-rules.ts";
import { deleteAttachments, setAttachments } from "../catalog/writes/attachment-writes.ts";
import { listAttachments } from "../catalog/reads/listings.ts";
import { validated } from "../catalog/rules/validate.ts";
import { holdingAnswer, messageAnswer } from "./answer.ts";
import type { ServiceMethods } from "./method.ts";
import { write } from "./write.ts";

/** The service `wasmext.v1.AttachmentService`. */
export const attachments: ServiceMethods<typeof AttachmentService> = {
  setAttachments: {
    accept: acceptedSet,
    access: { permission: "WRITE", resource: ({ attachmentSet }) => attachmentSet?.fqn ?? "" },
    async handle(request, call) {
      const stored = await write(call, setAttachments(request, call.principal));
      const schema = SetAttachmentsResponseSchema;
      return holdingAnswer({ schema, field: schema.field.attachmentSet }, [stored]);
    },
  },
  getAttachments: {
    accept: (request) => validated(GetAttachmentsRequestSchema, request),
    access: { permission: "READ", resource: ({ fqn }) => fqn },
    handle({ fqn }, { reader }) {
      const stored = getAttachments(reader.state, fqn);
      const schema = GetAttachmentsResponseSchema;
      return holdingAnswer({ schema, field: schema.field.attachmentSet }, [stored]);
    },
  },
  listAttachments: {
    accept: (request) => validated(ListAttachmentsRequestSchema, request),
    access: { permission: "READ", resource: ({ parent }) => parent },
    handle(request, { reader, principal }) {
      const { items, nextPageToken } = listAttachments(reader, principal, request);
      const schema = ListAttachmentsResponseSchema;
      const { attachmentSets: field } = schema.field;
      return holdingAnswer({ schema, field, rest: { nextPageToken } }, items);
    },
  },
  deleteAttachments: {
    accept: (request) => validated(DeleteAttachmentsRequestSchema, request),
    access: { permission: "DELETE", resource: ({ fqn }) => fqn },
    handle: async (request, call) =>
      messageAnswer(DeleteAttachmentsResponseSchema, await write(call, deleteAttachments(request))),
  },
};
