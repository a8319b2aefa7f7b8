import type { DescMessage, Message } from "@bufbuild/protobuf";
import { type Path, type PathBuilder, pathToString } from "@bufbuild/protobuf/reflect";
import { Violation } from "@bufbuild/protovalidate";
import type { FieldViolation } from "../errors.ts";
import { excerpt, maxExcerpt } from "../names/excerpt.ts";
import { remedyOf } from "./remedies.ts";

/** Makes a path: that takes long, and is needed for violations alone. */
export type PathMaker = () => PathBuilder;

/** A violation of a rule that the proto cannot express. */
export function fieldViolation(path: Path, ruleId: string, description: string): FieldViolation {
  const shown = withShortKeys(path);
  return {
    field: pathToString(shown),
    description,
    violation: new Violation(description, `wasmext.${ruleId}`, shown, [], false),
  };
}

/** A violation that protovalidate found, with the value and a remedy. */
export function fieldViolationOf(
  violation: Violation,
  schema: DescMessage,
  message: Message,
): FieldViolation {
  const { message: text, ruleId, rule, forKey } = violation;
  const path = withShortKeys(violation.field);
  return {
    field: path.length === 0 ? schema.name : pathToString(path),
    description: describe(violation, valueAt(message, violation.field)),
    violation: new Violation(text, ruleId, path, rule, forKey),
  };
}

/** A path up to the first map key that is too long to be shown. */
function withShortKeys(path: Path): Path {
  const end = path.findIndex(
    (step) => step.kind === "map_sub" && String(step.key).length > maxExcerpt,
  );
  return end < 0 ? path : path.slice(0, end);
}

function describe({ ruleId, message, field: path, forKey }: Violation, value: unknown): string {
  const last = path.at(-1);
  const field = last?.kind === "map_sub" ? path.at(-2) : last;
  const place = last?.kind !== "map_sub" ? "value" : forKey ? "map_key" : "map_value";
  const remedy = field?.kind === "field" ? remedyOf(field, place) : undefined;
  if (last?.kind === "map_sub" && forKey) {
    return `has the key ${excerpt(String(last.key))}, which is not valid; ${remedy ?? message}`;
  }
  if (ruleId === "required" || value === "") {
    return `is required; ${remedy ?? "set it"}`;
  }
  if (ruleId === "string.pattern" && typeof value === "string") {
    return `${excerpt(value)} is not valid; ${remedy ?? message}`;
  }
  return typeof value === "number" ? `${value} is not valid; it ${message}` : message;
}

/** The value at a path of fields, list items and map entries; undefined for other paths. */
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
      case "map_sub":
        return holder[String(step.key)];
      default:
        return undefined;
    }
  }, message);
}
