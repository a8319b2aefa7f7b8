import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
} from "@bufbuild/protobuf";
import { isMapping } from "./json.ts";
import { jsonOptions } from "./options.ts";

/** A step into JSON: an index of a list, or a key as it was sent. */
export type JsonStep =
  | number
  | {
      readonly key: string;
      /** The field that the key names, if it names one. */
      readonly field: DescField | undefined;
      /** The message whose field it should be; undefined for the key of a map. */
      readonly holder: DescMessage | undefined;
    };

/** A place where JSON does not match the message type. */
export interface Unreadable {
  /** The way to the value at fault; empty where the whole is. */
  readonly path: readonly JsonStep[];
  /** The error of the JSON reader. */
  readonly problem: string;
  /** What to write there; undefined where only the type of the place says that. */
  readonly remedy: string | undefined;
}

/**
 * Finds the places where JSON does not match a message type.
 *
 * This costs several times what reading costs, and is for errors alone.
 */
export function* findUnreadable(schema: DescMessage, json: JsonValue): Generator<Unreadable> {
  const problem = problemOf(schema, json);
  if (problem === undefined) {
    return;
  }
  let found = false;
  for (const part of partsOf(schema, json)) {
    for (const inner of part.find()) {
      found = true;
      yield { ...inner, path: [...part.steps, ...inner.path] };
    }
  }
  if (!found) {
    yield { path: [], problem, remedy: undefined };
  }
}

/** Writes a path with proto field names: `wasm_extension.vm_config.env[1].name`. */
export function formatPath(path: readonly JsonStep[]): string {
  return path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step.field?.name ?? step.key}`))
    .join("")
    .replace(/^\./, "");
}

/** A part of a JSON object that can be read, or not, on its own. */
interface Part {
  readonly steps: readonly JsonStep[];
  find(): Iterable<Unreadable>;
}

function* partsOf(schema: DescMessage, json: JsonValue): Generator<Part> {
  if (!isMapping(json) || isWellKnown(schema)) {
    return;
  }
  for (const [key, value] of Object.entries(json)) {
    const field = fieldNamed(schema, key);
    const step = { key, field, holder: schema };
    if (field?.fieldKind === "list" && Array.isArray(value)) {
      for (const [index, item] of value.entries()) {
        yield field.message === undefined
          ? part([step, index], schema, { [key]: [item] })
          : { steps: [step, index], find: () => findUnreadable(field.message, item) };
      }
    } else if (field?.fieldKind === "map" && isMapping(value)) {
      for (const [entry, item] of Object.entries(value)) {
        const ofEntry = { key: entry, field: undefined, holder: undefined };
        yield part([step, ofEntry], schema, { [key]: { [entry]: item } });
      }
    } else if (field?.fieldKind === "message" && value !== null) {
      yield { steps: [step], find: () => findUnreadable(field.message, value) };
    } else if (field === undefined && !key.startsWith("[")) {
      yield unknownPart(step, schema);
    } else {
      yield part([step], schema, { [key]: value });
    }
  }
}

/** A key that names no field. There may be many, so it is not read to find that out. */
function unknownPart(step: JsonStep & object, schema: DescMessage): Part {
  const problem = `cannot decode ${schema.toString()} from JSON: key "${step.key}" is unknown`;
  return {
    steps: [step],
    find: () => [{ path: [], problem, remedy: remedyOf(undefined, schema) }],
  };
}

/** A part without parts: `json` holds nothing else. */
function part(steps: readonly JsonStep[], schema: DescMessage, json: JsonValue): Part {
  return {
    steps,
    find() {
      const problem = problemOf(schema, json);
      const [first] = steps;
      const remedy = typeof first === "object" ? remedyOf(first.field, schema) : undefined;
      return problem === undefined ? [] : [{ path: [], problem, remedy }];
    },
  };
}

/** The names to choose from, where a name is at fault: of a field, or of a value of an enum. */
function remedyOf(field: DescField | undefined, holder: DescMessage): string | undefined {
  if (field === undefined) {
    return `write one of ${holder.fields.map(({ jsonName }) => jsonName).join(", ")}`;
  }
  return field.enum && oneOf(field.enum);
}

/** Says which values an enum has. */
export function oneOf({ values }: DescEnum): string {
  return `write one of ${values.map(({ name }) => name).join(", ")}`;
}

function problemOf(schema: DescMessage, json: JsonValue): string | undefined {
  try {
    fromJson(schema, json, jsonOptions);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The field that a key of JSON names, by either of its names; undefined if there is none. */
export function fieldNamed(schema: DescMessage, key: string): DescField | undefined {
  return schema.fields.find(({ name, jsonName }) => key === jsonName || key === name);
}

/** Types such as Struct have a JSON form of their own, whose keys are not fields. */
export function isWellKnown({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.");
}
