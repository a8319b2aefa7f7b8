import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Tells whether a value is an object of JSON, a mapping of YAML. */
export function isMapping(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
