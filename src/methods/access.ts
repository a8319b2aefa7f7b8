import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AccessService,
  Permission as PermissionNumber,
  WhoAmIResponseSchema,
} from "../../gen/wasmext/v1/access_service_pb.ts";
import { messageAnswer } from "./answer.ts";
import type { ServiceMethods } from "./method.ts";

/** The service `wasmext.v1.AccessService`. */
export const access: ServiceMethods<typeof AccessService> = {
  whoAmI: {
    accept: (request) => request,
    access: "api",
    handle(_request, { principal: { name, grants, expiresAt } }) {
      return messageAnswer(WhoAmIResponseSchema, {
        principal: name,
        grants: grants.map(({ resource, permissions }) => ({
          resource,
          permissions: permissions.map((permission) => PermissionNumber[permission]),
        })),
        ...(expiresAt !== Infinity && { expireTime: timestampFromMs(expiresAt) }),
      });
    },
  },
};
