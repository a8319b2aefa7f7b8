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
import { fieldViolation, type PathMaker } from "./field-violation.ts";
import { maxStructValues, problemOfJson, type SeenValues } from "./json-form.ts";

/**
 * The greatest number of items in all lists and maps of a message. Each item costs checks, and no real
 * request comes near.
 */
export const maxItems = 10_000;

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
export interface FormProblems extends SeenValues {
  readonly problems: FieldViolation[];
  /** The items that have been seen so far. */
  items: number;
  /** The violation of a limit, if there is one. */
  excess: FieldViolation | undefined;
}

function pathOf(holder: PathMaker, field: DescField, index?: number): PathBuilder {
  const path = holder().field(field);
  return index === undefined ? path : path.list(index);
}

function visit(schema: DescMessage, message: Message, at: PathMaker, found: FormProblems): void {
  // Protobuf-ES keeps the value of a field under its local name; our requests have no oneofs.
  const values = message as unknown as Record<string, unknown>;
  for (const field of lookedAt(schema)) {
    const value = values[field.localName];
    if (value === undefined) {
      continue;
    }
    if (field.fieldKind === "list") {
      const items = value as unknown[];
      if (isWithin(items.length, field, at, found)) {
        for (let index = 0; index < items.length; index++) {
          visitValue(field, items[index], at, index, found);
        }
      }
    } else if (field.fieldKind === "map") {
      visitEntries(field, value as Record<string, unknown>, at, found);
    } else {
      visitValue(field, value, at, undefined, found);
    }
  }
}

/** Counts items; tells whether they are within the limit. */
function isWithin(items: number, field: DescField, at: PathMaker, found: FormProblems): boolean {
  found.items += items;
  if (found.items > maxItems) {
    const text = `has too many items: the lists of a request may have ${maxItems} in all; send fewer`;
    found.excess ??= fieldViolation(pathOf(at, field).toPath(), "max_items", text);
    return false;
  }
  return true;
}

function visitEntries(
  field: DescField,
  entries: Readonly<Record<string, unknown>>,
  at: PathMaker,
  found: FormProblems,
): void {
  const keys = Object.keys(entries);
  if (!keys.every((key) => key.isWellFormed())) {
    found.problems.push(notUnicode(pathOf(at, field)));
  }
  if (isWithin(keys.length, field, at, found)) {
    for (const key of keys) {
      visitValue(field, entries[key], at, undefined, found);
    }
  }
}

/** @param index - the index of an item of a list */
function visitValue(
  field: DescField,
  value: unknown,
  at: PathMaker,
  index: number | undefined,
  found: FormProblems,
): void {
  if (field.message?.typeName === "google.protobuf.Struct") {
    const problem = problemOfJson(value, found);
    if (found.structValues > maxStructValues) {
      const text = `holds too many values: a request may have ${maxStructValues} in all; send fewer`;
      found.excess ??= fieldViolation(pathOf(at, field, index).toPath(), "max_values", text);
    } else if (problem !== undefined) {
      found.problems.push(fieldViolation(pathOf(at, field, index).toPath(), "json_form", problem));
    }
  } else if (field.message !== undefined) {
    visit(field.message, value as Message, () => pathOf(at, field, index), found);
  } else if (field.enum !== undefined) {
    if (field.enum.value[value as number] === undefined) {
      const text = `${String(value)} is not a value of ${field.enum.name}; send one of ${field.enum.values.map(({ name }) => name).join(", ")}`;
      found.problems.push(fieldViolation(pathOf(at, field, index).toPath(), "enum_defined", text));
    }
  } else if (field.scalar === ScalarType.STRING) {
    visitString(field, value as string, at, index, found);
  }
}

function visitString(
  field: DescField,
  value: string,
  at: PathMaker,
  index: number | undefined,
  found: FormProblems,
): void {
  if (value.length > maxRuledString && hasRules(field)) {
    const text = `is too long: it has ${value.length} characters, and at most ${maxRuledString} are allowed`;
    found.excess ??= fieldViolation(
      pathOf(at, field, index).toPath(),
      "max_length",
      `${text}; shorten it`,
    );
  } else if (!value.isWellFormed()) {
    found.problems.push(notUnicode(pathOf(at, field, index)));
  }
}

const lookedAtFields = new WeakMap<DescMessage, readonly DescField[]>();

/** The fields whose form is checked: all but single numbers, booleans and bytes. */
function lookedAt(schema: DescMessage): readonly DescField[] {
  let fields = lookedAtFields.get(schema);
  if (fields === undefined) {
    fields = schema.fields.filter(
      ({ fieldKind, scalar }) => fieldKind !== "scalar" || scalar === ScalarType.STRING,
    );
    lookedAtFields.set(schema, fields);
  }
  return fields;
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

function notUnicode(at: PathBuilder): FieldViolation {
  const text = "is not well-formed Unicode; remove the unpaired surrogates";
  return fieldViolation(at.toPath(), "well_formed", text);
}
