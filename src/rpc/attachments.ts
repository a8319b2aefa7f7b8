import type { ServiceImpl } from "@connectrpc/connect";
import {
  type AttachmentService,
  GetAttachmentsRequestSchema,
  ListAttachmentsRequestSchema,
} from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { getAttachments } from "../catalog/attachment-reads.ts";
import { deleteAttachments, setAttachments } from "../catalog/attachment-writes.ts";
import { attachmentListing } from "../catalog/listings.ts";
import { listPage } from "../catalog/pages.ts";
import { validated } from "../catalog/validate.ts";
import type { Catalog } from "./catalog.ts";
import { writeOptions } from "./write-options.ts";

/** The service `wasmext.v1.AttachmentService` over a catalog. */
export function attachmentService({
  store,
  journal,
}: Catalog): ServiceImpl<typeof AttachmentService> {
  return {
    async setAttachments(request, context) {
      const { message } = await journal.write(setAttachments(request), writeOptions(context));
      return { attachmentSet: message };
    },
    getAttachments(request) {
      const { fqn } = validated(GetAttachmentsRequestSchema, request);
      return { attachmentSet: getAttachments(store.state, fqn).message };
    },
    listAttachments(request) {
      const valid = validated(ListAttachmentsRequestSchema, request);
      const { items, nextPageToken } = listPage(store, attachmentListing, valid);
      return { attachmentSets: items.map(({ message }) => message), nextPageToken };
    },
    deleteAttachments: (request, context) =>
      journal.write(deleteAttachments(request), writeOptions(context)),
  };
}
