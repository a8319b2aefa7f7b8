import {
  type DescField,
  type DescMessage,
  getOption,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { buildPath, type PathBuilder } from "@bufbuild/protobuf/reflect";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import type { FieldViolation } from "../errors.ts";
import { excerpt } from "../names/excerpt.ts";
import { fieldViolation } from "./field-violation.ts";

/** Deepest nesting of a Struct: the Struct itself is level 1, each object or list in it one more. */
export const maxStructLevels = 64;

/**
 * The greatest number of items in all lists and maps of a message. Each item costs checks, and no use
 * comes near.
 */
export const maxItems = 10_000;

/** How many values the Structs of a message may hold, all together. */
export const maxStructValues = 20_000;

/**
 * Greatest length of a string that has rules, in UTF-16 units: a name, a url, a location. Rules read such
 * strings several times, which is expensive with Unicode. Most servers refuse a url of this length.
 */
export const maxRuledString = 8_192;

/**
 * Finds violations that do not depend on the type of a message: strings that are not well-formed
 * Unicode, numbers that their enum does not declare, Structs without a JSON form, and too many items,
 * too many values or a name that is too long. With too much, the search ends.
 */
export function problemsOfForm(schema: DescMessage, message: Message): FormProblems {
  const found: FormProblems = { problems: [], items: 0, structValues: 0, excess: undefined };
  visit(schema, message, () => buildPath(schema), found);
  const { excess } = found;
  return excess === undefined ? found : { ...found, problems: [excess] };
}

/** What is wrong with the form of a message. */
export interface FormProblems {
  readonly problems: FieldViolation[];
  /** The items that have been seen so far. */
  items: number;
  /** The values in Structs that have been seen so far. */
  structValues: number;
  /** The violation of a limit, if there is one. */
  excess: FieldViolation | undefined;
}

/** Makes a path when a violation is found. */
type PathMaker = () => PathBuilder;

function visit(schema: DescMessage, message: Message, at: PathMaker, found: FormProblems): void {
  // Protobuf-ES keeps the value of a field under its local name; our requests have no oneofs.
  const values = message as unknown as Record<string, unknown>;
  for (const field of schema.fields) {
    const value = values[field.localName];
    if (value === undefined) {
      continue;
    }
    const path = (): PathBuilder => at().clone().field(field);
    if (field.fieldKind === "list") {
      visitItems(
        field,
        [...(value as unknown[]).entries()],
        (index) => path().list(index),
        path,
        found,
      );
    } else if (field.fieldKind === "map") {
      const entries = Object.entries(value as Record<string, unknown>);
      if (!entries.every(([key]) => key.isWellFormed())) {
        found.problems.push(notUnicode(path));
      }
      visitItems(field, entries, () => path(), path, found);
    } else {
      visitValue(field, value, path, found);
    }
  }
}

function visitItems<Key>(
  field: DescField,
  items: readonly (readonly [Key, unknown])[],
  at: (key: Key) => PathBuilder,
  whole: PathMaker,
  found: FormProblems,
): void {
  found.items += items.length;
  if (found.items > maxItems) {
    const text = `has too many items: the lists of a request may have ${maxItems} in all; send fewer`;
    found.excess ??= fieldViolation(whole().toPath(), "max_items", text);
    return;
  }
  for (const [key, item] of items) {
    visitValue(field, item, () => at(key), found);
  }
}

function visitValue(field: DescField, value: unknown, at: PathMaker, found: FormProblems): void {
  if (field.message?.typeName === "google.protobuf.Struct") {
    const problem = problemOfJson(value, "$", 1, found);
    if (found.structValues > maxStructValues) {
      const text = `holds too many values: a request may have ${maxStructValues} in all; send fewer`;
      found.excess ??= fieldViolation(at().toPath(), "max_values", text);
    } else if (problem !== undefined) {
      found.problems.push(fieldViolation(at().toPath(), "json_form", problem));
    }
  } else if (field.message !== undefined) {
    visit(field.message, value as Message, at, found);
  } else if (field.enum !== undefined) {
    if (field.enum.value[value as number] === undefined) {
      const text = `${String(value)} is not a value of ${field.enum.name}; send one of ${field.enum.values.map(({ name }) => name).join(", ")}`;
      found.problems.push(fieldViolation(at().toPath(), "enum_defined", text));
    }
  } else if (field.scalar === ScalarType.STRING) {
    visitString(field, value as string, at, found);
  }
}

function visitString(field: DescField, value: string, at: PathMaker, found: FormProblems): void {
  if (value.length > maxRuledString && hasRules(field)) {
    const text = `is too long: it has ${value.length} characters, and at most ${maxRuledString} are allowed`;
    found.excess ??= fieldViolation(at().toPath(), "max_length", `${text}; shorten it`);
  } else if (!value.isWellFormed()) {
    found.problems.push(notUnicode(at));
  }
}

const ruled = new WeakMap<DescField, boolean>();

/** Tells whether the proto has rules for the text of a field, or of the items of one. */
function hasRules(field: DescField): boolean {
  let known = ruled.get(field);
  if (known === undefined) {
    const { type } = getOption(field, fieldRules);
    const text = type.case === "repeated" ? type.value.items?.type : type;
    known = text?.case === "string";
    ruled.set(field, known);
  }
  return known;
}

function notUnicode(at: PathMaker): FieldViolation {
  const text = "is not well-formed Unicode; remove the unpaired surrogates";
  return fieldViolation(at().toPath(), "well_formed", text);
}

/** Says why a value has no JSON form that a plugin could read, or undefined if it has one. */
function problemOfJson(
  value: unknown,
  where: string,
  level: number,
  found: FormProblems,
): string | undefined {
  if (++found.structValues > maxStructValues) {
    return undefined;
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    return `holds ${value} at ${excerpt(where)}, which JSON cannot express; send a finite number or a string`;
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    return `holds a string at ${excerpt(where)} that is not well-formed Unicode; remove the unpaired surrogates`;
  }
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  if (level > maxStructLevels) {
    return `nests deeper than ${maxStructLevels} levels; flatten it`;
  }
  for (const [key, item] of Object.entries(value)) {
    if (!key.isWellFormed()) {
      return `holds a key under ${excerpt(where)} that is not well-formed Unicode; remove the unpaired surrogates`;
    }
    const inner = Array.isArray(value) ? `${where}[${key}]` : `${where}.${key}`;
    const problem = problemOfJson(item, inner, level + 1, found);
    if (problem !== undefined) {
      return problem;
    }
  }
  return undefined;
}
