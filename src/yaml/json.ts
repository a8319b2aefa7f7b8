import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** Tells whether a value is a mapping of YAML, an object of JSON. */
export function isMapping(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
