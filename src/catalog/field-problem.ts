import type { DescMessage, Message } from "@bufbuild/protobuf";
import { type Path, pathToString } from "@bufbuild/protobuf/reflect";
import { Violation } from "@bufbuild/protovalidate";
import type { FieldProblem } from "./errors.ts";

/** Longest excerpt of a value in an error text, in characters. */
const maxExcerpt = 80;

/** What a pattern of the proto's rules asks for, in words. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/extensions\//, "write organizations/{org}/extensions/{name}"],
  [/tenants\//, "write organizations/{org}/tenants/{tenant}"],
  [/\^organizations\//, "write organizations/{org}"],
  [/oci\|https/, "write a url that begins with oci://, http://, https:// or file://"],
  [/\[A-Za-z_\]/, "write a C identifier: letters, digits and _, not beginning with a digit"],
  [
    /\[-a-z0-9\]/,
    "write 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end",
  ],
];

/** States a rule that the proto cannot say as a problem of a field. */
export function fieldProblem(path: Path, ruleId: string, description: string): FieldProblem {
  return {
    field: pathToString(path),
    description,
    violation: new Violation(description, `wasmext.${ruleId}`, path, [], false),
  };
}

/** States what protovalidate found as a problem of a field, with the value and a remedy. */
export function fieldProblemOf(
  violation: Violation,
  schema: DescMessage,
  message: Message,
): FieldProblem {
  return {
    field: violation.field.length === 0 ? schema.name : pathToString(violation.field),
    description: describe(violation, valueAt(message, violation.field)),
    violation,
  };
}

/** Quotes a value for an error text, cut to a length that people read. */
export function excerpt(value: string): string {
  const cut = value.length > maxExcerpt ? `${value.slice(0, maxExcerpt)}…` : value;
  return JSON.stringify(cut.toWellFormed());
}

function describe({ ruleId, message }: Violation, value: unknown): string {
  if (ruleId === "required" || value === "") {
    return `is required; ${remedyOf(message) ?? "set it"}`;
  }
  if (ruleId === "string.pattern" && typeof value === "string") {
    return `${excerpt(value)} is not valid; ${remedyOf(message) ?? message}`;
  }
  if (ruleId === "enum.defined_only") {
    return `${String(value)} is no value of the enum; send one that it declares`;
  }
  return typeof value === "number" ? `${value} is not valid; ${message}` : message;
}

function remedyOf(message: string): string | undefined {
  return remedies.find(([pattern]) => pattern.test(message))?.[1];
}

/** The value at a path of fields and list items; undefined where the path leads elsewhere. */
function valueAt(message: Message, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (typeof value !== "object" || value === null) {
      return undefined;
    }
    const holder = value as Record<string | number, unknown>;
    switch (step.kind) {
      case "field":
        return holder[step.localName];
      case "list_sub":
        return holder[step.index];
      default:
        return undefined;
    }
  }, message);
}
