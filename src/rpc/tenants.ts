import type { ServiceImpl } from "@connectrpc/connect";
import {
  ListTenantExtensionsRequestSchema,
  type Tenants,
} from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { listExtensions } from "../catalog/extension-list.ts";
import { validated } from "../catalog/validate.ts";
import type { Catalog } from "./catalog.ts";

/** The service `tetrateio.api.tsb.v2.Tenants` over a catalog. */
export function tenants({ store }: Catalog): ServiceImpl<typeof Tenants> {
  return {
    listWasmExtensions: (request) =>
      listExtensions(store, validated(ListTenantExtensionsRequestSchema, request)),
  };
}
