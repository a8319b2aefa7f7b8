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

/** The service `wasmext.v1.AttachmentService` over a catalog. */
export function attachmentService({
  store,
  journal,
}: Catalog): ServiceImpl<typeof AttachmentService> {
  return {
    setAttachments: async (request) => ({
      attachmentSet: await journal.write(setAttachments(request)),
    }),
    getAttachments(request) {
      const { fqn } = validated(GetAttachmentsRequestSchema, request);
      return { attachmentSet: getAttachments(store.state, fqn) };
    },
    listAttachments(request) {
      const valid = validated(ListAttachmentsRequestSchema, request);
      const { items: attachmentSets, nextPageToken } = listPage(store, attachmentListing, valid);
      return { attachmentSets, nextPageToken };
    },
    deleteAttachments: (request) => journal.write(deleteAttachments(request)),
  };
}
