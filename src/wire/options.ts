import { createRegistry } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { ViolationsSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { TypedExtensionConfigSchema } from "../../gen/envoy/config/core/v3/extension_pb.ts";
import { HTTPFaultSchema } from "../../gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts";
import { FilterChainConfigSchema } from "../../gen/envoy/extensions/filters/http/filter_chain/v3/filter_chain_pb.ts";
import { LuaSchema } from "../../gen/envoy/extensions/filters/http/lua/v3/lua_pb.ts";
import { WasmSchema } from "../../gen/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
} from "../../gen/google/rpc/error_details_pb.ts";

/**
 * Deepest nesting of messages that is read. 64 levels of a Struct are about 130 messages; the rest
 * leaves room for what holds it.
 */
const recursionLimit = 200;

/**
 * How messages are read and written in binary. Fields that this version does not know are not kept, so that
 * everything that is stored has been validated; JSON with such fields is refused.
 */
export const binaryOptions = { recursionLimit, readUnknownFields: false };

/** How messages are read and written as JSON. */
export const jsonOptions = {
  // A misspelt `allowedIn` must not open an extension to everyone.
  ignoreUnknownFields: false,
  recursionLimit,
  // Shows error details in readable form beside their bytes.
  registry: createRegistry(
    ErrorInfoSchema,
    BadRequestSchema,
    PreconditionFailureSchema,
    ViolationsSchema,
    // What proxies get.
    StringValueSchema,
    TypedExtensionConfigSchema,
    FilterChainConfigSchema,
    HTTPFaultSchema,
    LuaSchema,
    WasmSchema,
  ),
  // Invalid UTF-8 is an error, not a replacement character.
  textDecoder: new TextDecoder("utf-8", { fatal: true }),
};
