import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { type FieldViolation, invalid } from "../errors.ts";
import { fieldViolationOf } from "./field-violation.ts";
import { isKnownValid } from "./quick-check.ts";
import { problemsOfForm } from "./well-formed.ts";

const validator = createValidator();

/**
 * Validates a request, defaults applied, against every rule that needs no store, and returns it.
 *
 * Raises a CatalogError that names every field that breaks a rule. A field that breaks several is named
 * once, by the first of: form, the proto's rules, `semantic`.
 *
 * @param semantic - finds violations that the proto's rules cannot express
 */
export function validated<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  semantic: () => readonly FieldViolation[] = () => [],
): MessageShape<Desc> {
  const { problems: malformed, excess } = problemsOfForm(schema, message);
  const problems =
    excess === undefined
      ? [...malformed, ...problemsOfRules(schema, message), ...semantic()]
      : malformed;
  if (problems.length === 0) {
    return message;
  }
  const byField = new Map<string, FieldViolation>();
  for (const problem of problems) {
    if (!byField.has(problem.field)) {
      byField.set(problem.field, problem);
    }
  }
  throw invalid([...byField.values()]);
}

function problemsOfRules<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): FieldViolation[] {
  if (isKnownValid(schema, message)) {
    return [];
  }
  const result = validator.validate(schema, message);
  switch (result.kind) {
    case "valid":
      return [];
    case "invalid":
      return result.violations.map((violation) => fieldViolationOf(violation, schema, message));
    case "error":
      throw result.error;
  }
}

/** Compiles the rules of messages ahead, so that their first request does not wait for it. */
export function compileRules(schemas: readonly DescMessage[]): void {
  for (const schema of schemas) {
    validator.validate(schema, create(schema));
  }
}
