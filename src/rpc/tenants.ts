import type { ServiceImpl } from "@connectrpc/connect";
import {
  ListTenantExtensionsRequestSchema,
  ListTenantExtensionsResponseSchema,
  type Tenants,
} from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { extensionListing } from "../catalog/listings.ts";
import { listPage } from "../catalog/pages.ts";
import { validated } from "../catalog/validate.ts";
import type { Catalog } from "./catalog.ts";
import { responseWith } from "./encoded-message.ts";

/** The service `tetrateio.api.tsb.v2.Tenants` over a catalog. */
export function tenants({ store }: Catalog): ServiceImpl<typeof Tenants> {
  return {
    listWasmExtensions(request, context) {
      const valid = validated(ListTenantExtensionsRequestSchema, request);
      const { items, nextPageToken } = listPage(store, extensionListing, valid);
      const field = ListTenantExtensionsResponseSchema.field.extensions;
      const response = {
        schema: ListTenantExtensionsResponseSchema,
        field,
        rest: { nextPageToken },
      };
      return responseWith(context, response, items);
    },
  };
}
