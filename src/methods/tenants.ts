import {
  ListTenantExtensionsRequestSchema,
  ListTenantExtensionsResponseSchema,
  type Tenants,
} from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { listExtensions } from "../catalog/reads/listings.ts";
import { validated } from "../catalog/rules/validate.ts";
import { holdingAnswer } from "./answer.ts";
import type { ServiceMethods } from "./method.ts";

/** The service `tetrateio.api.tsb.v2.Tenants`. */
export const tenants: ServiceMethods<typeof Tenants> = {
  listWasmExtensions: {
    accept: (request) => validated(ListTenantExtensionsRequestSchema, request),
    access: { permission: "READ", resource: ({ parent }) => parent },
    handle(request, { reader, principal }) {
      const { items, nextPageToken } = listExtensions(reader, principal, request);
      const schema = ListTenantExtensionsResponseSchema;
      return holdingAnswer(
        { schema, field: schema.field.extensions, rest: { nextPageToken } },
        items,
      );
    },
  },
};
