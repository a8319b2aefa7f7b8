/*
 * How much an object takes in Kubernetes: the JSON that Go writes of it, with each key that was applied
 * once more, since server-side apply keeps in metadata.managedFields who set which field.
 */
import type { JsonValue } from "@bufbuild/protobuf";
import { isMapping } from "../../wire/json.ts";

/** The size of an object that has been applied, in bytes. */
export interface StoredSize {
  /** What was applied. */
  readonly manifest: number;
  /** The names of its fields; a little more, since those that identify it are counted as well. */
  readonly managedFields: number;
}

/** The size of a manifest once it is applied, without what the server adds to any object. */
export function storedSize(manifest: JsonValue): StoredSize {
  return {
    manifest: goBytes(JSON.stringify(manifest)),
    managedFields: goBytes(JSON.stringify(fieldsOf(manifest, "known"))),
  };
}

/** Where a value is: among the fields of the definition, or in a configuration, which has none. */
type Schema = "known" | "config";

/** The field set of a value: for an object one with a key for each of its keys, else an empty one. */
function fieldsOf(value: JsonValue, schema: Schema): object {
  if (!isMapping(value)) {
    return {};
  }
  const fields = Object.entries(value).map(([key, inner]): [string, object] => {
    const name = `f:${key}`;
    if (schema === "known" && key === "env" && Array.isArray(inner)) {
      return [name, Object.fromEntries(inner.map(fieldsOfVariable))];
    }
    return [name, fieldsOf(inner, key === "pluginConfig" ? "config" : schema)];
  });
  // In a configuration, an object with keys is a field as well.
  const own: [string, object][] = schema === "config" && fields.length > 0 ? [[".", {}]] : [];
  return Object.fromEntries([...own, ...fields]);
}

/** Variables are known by their names; all other lists are one field. */
function fieldsOfVariable(variable: JsonValue): [string, object] {
  const name = isMapping(variable) ? variable["name"] : undefined;
  return [`k:${JSON.stringify({ name })}`, { ".": {}, ...fieldsOf(variable, "known") }];
}

/** The bytes of a JSON text as Go writes it: with escapes for what HTML and JavaScript would read. */
function goBytes(json: string): number {
  return Buffer.byteLength(json) + escapesOf(json, { html: 5, separator: 3 });
}

/** The characters of a string in JSON as Go writes it, with its quotes. */
export function goLength(text: string): number {
  const json = JSON.stringify(text);
  return json.length + escapesOf(json, { html: 5, separator: 5 });
}

/** The length that escapes add beyond those that JSON requires. */
function escapesOf(json: string, each: { html: number; separator: number }): number {
  const html = json.match(/[<>&]/g)?.length ?? 0;
  const separators = json.match(/[\u2028\u2029]/g)?.length ?? 0;
  return html * each.html + separators * each.separator;
}
