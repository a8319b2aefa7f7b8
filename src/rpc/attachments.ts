import type { ServiceImpl } from "@connectrpc/connect";
import {
  type AttachmentService,
  GetAttachmentsRequestSchema,
  GetAttachmentsResponseSchema,
  ListAttachmentsRequestSchema,
  ListAttachmentsResponseSchema,
  SetAttachmentsResponseSchema,
} from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { getAttachments } from "../catalog/attachment-reads.ts";
import { deleteAttachments, setAttachments } from "../catalog/attachment-writes.ts";
import { attachmentListing } from "../catalog/listings.ts";
import { listPage } from "../catalog/pages.ts";
import { validated } from "../catalog/validate.ts";
import type { Catalog } from "./catalog.ts";
import { responseWith } from "./encoded-message.ts";
import { writeOptions } from "./write-options.ts";

/** The service `wasmext.v1.AttachmentService` over a catalog. */
export function attachmentService({
  store,
  journal,
}: Catalog): ServiceImpl<typeof AttachmentService> {
  return {
    async setAttachments(request, context) {
      const stored = await journal.write(setAttachments(request), writeOptions(context));
      const { attachmentSet: field } = SetAttachmentsResponseSchema.field;
      return responseWith(context, { schema: SetAttachmentsResponseSchema, field }, [stored]);
    },
    getAttachments(request, context) {
      const { fqn } = validated(GetAttachmentsRequestSchema, request);
      const stored = getAttachments(store.state, fqn);
      const { attachmentSet: field } = GetAttachmentsResponseSchema.field;
      return responseWith(context, { schema: GetAttachmentsResponseSchema, field }, [stored]);
    },
    listAttachments(request, context) {
      const valid = validated(ListAttachmentsRequestSchema, request);
      const { items, nextPageToken } = listPage(store, attachmentListing, valid);
      const field = ListAttachmentsResponseSchema.field.attachmentSets;
      const response = { schema: ListAttachmentsResponseSchema, field, rest: { nextPageToken } };
      return responseWith(context, response, items);
    },
    deleteAttachments: (request, context) =>
      journal.write(deleteAttachments(request), writeOptions(context)),
  };
}
