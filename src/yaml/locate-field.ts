import type { JsonValue } from "@bufbuild/protobuf";
import { isMapping } from "../wire/json.ts";
import type { Step } from "./diagnostic.ts";

/**
 * The path in a document of a field that a server names, as far as the document has it.
 *
 * @param field - the path from the object with proto field names: `vm_config.env[0].name`
 */
export function locateField(document: JsonValue, field: string): Step[] {
  const [first, ...rest] = namesOf(field);
  if (!isMapping(document) || first === undefined) {
    return [];
  }
  for (const part of ["spec", "metadata"]) {
    const steps = walk(document[part], [first, ...rest]);
    if (steps.length > 0) {
      return [part, ...steps];
    }
  }
  return ["spec", typeof first === "string" ? jsonName(first) : first];
}

function walk(json: JsonValue | undefined, names: readonly Step[]): Step[] {
  const path: Step[] = [];
  let value = json;
  for (const name of names) {
    if (typeof name === "number") {
      if (!Array.isArray(value) || name >= value.length) {
        break;
      }
      value = value[name];
      path.push(name);
      continue;
    }
    if (!isMapping(value)) {
      break;
    }
    const key = [jsonName(name), name].find((candidate) => isMapping(value) && candidate in value);
    if (key === undefined) {
      break;
    }
    value = value[key];
    path.push(key);
  }
  return path;
}

/** The names and indexes of a path, without the fields inside of Struct and Value. */
function namesOf(field: string): Step[] {
  const steps = [...field.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)];
  return steps.flatMap<Step>(([, key, index, name]) => {
    if (key !== undefined) {
      return [JSON.parse(`"${key}"`) as string];
    }
    return index !== undefined ? [Number(index)] : inStruct.has(name ?? "") ? [] : [name ?? ""];
  });
}

const inStruct = new Set(["fields", "struct_value", "list_value", "values"]);

function jsonName(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
