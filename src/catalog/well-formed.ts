import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { buildPath, type PathBuilder } from "@bufbuild/protobuf/reflect";
import type { FieldProblem } from "./errors.ts";
import { fieldProblem } from "./field-problem.ts";

/** Deepest nesting of a Struct: the Struct itself is level 1, each object or list in it one more. */
const maxStructLevels = 64;

/**
 * Finds what every message is refused for, whatever its type: strings that are not well-formed
 * Unicode, numbers that their enum does not declare, and Structs that have no JSON form.
 */
export function problemsOfForm(schema: DescMessage, message: Message): FieldProblem[] {
  const problems: FieldProblem[] = [];
  visit(schema, message, buildPath(schema), problems);
  return problems;
}

function visit(
  schema: DescMessage,
  message: Message,
  at: PathBuilder,
  found: FieldProblem[],
): void {
  // Protobuf-ES keeps what a field holds under its local name; oneofs are not used by our requests.
  const values = message as unknown as Record<string, unknown>;
  for (const field of schema.fields) {
    const value = values[field.localName];
    if (value === undefined) {
      continue;
    }
    const path = at.clone().field(field);
    if (field.fieldKind === "list") {
      for (const [index, item] of (value as unknown[]).entries()) {
        visitValue(field, item, path.clone().list(index), found);
      }
    } else if (field.fieldKind === "map") {
      for (const [key, item] of Object.entries(value as Record<string, unknown>)) {
        if (!key.isWellFormed()) {
          found.push(notUnicode(path));
        }
        visitValue(field, item, path.clone().map(key), found);
      }
    } else {
      visitValue(field, value, path, found);
    }
  }
}

function visitValue(
  field: DescField,
  value: unknown,
  at: PathBuilder,
  found: FieldProblem[],
): void {
  if (field.message?.typeName === "google.protobuf.Struct") {
    const problem = problemOfJson(value, "$", 1);
    if (problem !== undefined) {
      found.push(fieldProblem(at.toPath(), "json_form", problem));
    }
  } else if (field.message !== undefined) {
    visit(field.message, value as Message, at, found);
  } else if (field.enum !== undefined) {
    if (field.enum.value[value as number] === undefined) {
      const text = `${String(value)} is no value of ${field.enum.name}; send one of ${field.enum.values.map(({ name }) => name).join(", ")}`;
      found.push(fieldProblem(at.toPath(), "enum_defined", text));
    }
  } else if (field.scalar === ScalarType.STRING && !(value as string).isWellFormed()) {
    found.push(notUnicode(at));
  }
}

function notUnicode(at: PathBuilder): FieldProblem {
  const text = "is not well-formed Unicode; remove the unpaired surrogates";
  return fieldProblem(at.toPath(), "well_formed", text);
}

/** Says why a value has no JSON form that a plugin could read, or undefined if it has one. */
function problemOfJson(value: unknown, where: string, level: number): string | undefined {
  if (typeof value === "number" && !Number.isFinite(value)) {
    return `holds ${value} at ${where}, which JSON cannot express; send a finite number or a string`;
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    return `holds a string at ${where} that is not well-formed Unicode; remove the unpaired surrogates`;
  }
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  if (level > maxStructLevels) {
    return `nests deeper than ${maxStructLevels} levels; flatten it`;
  }
  for (const [key, item] of Object.entries(value)) {
    if (!key.isWellFormed()) {
      return `holds a key under ${where} that is not well-formed Unicode; remove the unpaired surrogates`;
    }
    const inner = Array.isArray(value) ? `${where}[${key}]` : `${where}.${key}`;
    const problem = problemOfJson(item, inner, level + 1);
    if (problem !== undefined) {
      return problem;
    }
  }
  return undefined;
}
