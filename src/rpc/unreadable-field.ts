import { type DescField, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { jsonOptions } from "./wire-options.ts";

/**
 * Finds the field because of which JSON is no message of a type, as a path with proto field names:
 * `wasm_extension.vm_config.env[1].name`. A key that the type does not have stands in it as it was
 * sent. Returns "" where the whole is wrong, and undefined where nothing is.
 *
 * This costs several times what reading costs, and is for errors alone.
 */
export function findUnreadableField(schema: DescMessage, json: JsonValue): string | undefined {
  if (isReadable(schema, json)) {
    return undefined;
  }
  if (!isObject(json) || isWellKnown(schema)) {
    return "";
  }
  for (const [key, value] of Object.entries(json)) {
    if (isReadable(schema, { [key]: value })) {
      continue;
    }
    const field = schema.fields.find(({ name, jsonName }) => key === jsonName || key === name);
    return field === undefined ? key : `${field.name}${within(schema, key, field, value)}`;
  }
  return "";
}

/** Where in the value of a field the fault is. */
function within(schema: DescMessage, key: string, field: DescField, value: JsonValue): string {
  if (field.fieldKind === "list" && Array.isArray(value)) {
    const index = value.findIndex((item) => !isReadable(schema, { [key]: [item] }));
    const item = value[index];
    if (index < 0 || item === undefined) {
      return "";
    }
    return `[${index}]${field.message === undefined ? "" : inner(field.message, item)}`;
  }
  return field.fieldKind === "message" ? inner(field.message, value) : "";
}

function inner(schema: DescMessage, json: JsonValue): string {
  const path = findUnreadableField(schema, json) ?? "";
  return path === "" ? "" : `.${path}`;
}

function isReadable(schema: DescMessage, json: JsonValue): boolean {
  try {
    fromJson(schema, json, jsonOptions);
    return true;
  } catch {
    return false;
  }
}

/** Types such as Struct have a JSON form of their own, whose keys are no fields. */
function isWellKnown({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.");
}

function isObject(json: JsonValue): json is Record<string, JsonValue> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
