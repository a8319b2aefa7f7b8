import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { type FieldProblem, invalid } from "../errors.ts";
import { fieldProblemOf } from "./field-problem.ts";
import { problemsOfForm } from "./well-formed.ts";

const validator = createValidator();

/**
 * Holds a request, defaults applied, to every rule that needs no store, and returns it.
 *
 * Raises a CatalogError that names every field that breaks a rule. Where several rules find the same
 * field wrong, the first to say so speaks: form, then the proto's rules, then `semantic`.
 *
 * @param semantic - finds what the proto's rules cannot say
 */
export function validated<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  semantic: () => readonly FieldProblem[] = () => [],
): MessageShape<Desc> {
  const { problems: malformed, excess } = problemsOfForm(schema, message);
  const problems =
    excess === undefined
      ? [...malformed, ...problemsOfRules(schema, message), ...semantic()]
      : malformed;
  if (problems.length === 0) {
    return message;
  }
  const byField = new Map<string, FieldProblem>();
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
): FieldProblem[] {
  const result = validator.validate(schema, message);
  switch (result.kind) {
    case "valid":
      return [];
    case "invalid":
      return result.violations.map((violation) => fieldProblemOf(violation, schema, message));
    case "error":
      throw result.error;
  }
}

/** Compiles the rules of messages ahead of their first use, which would otherwise wait for it. */
export function compileRules(schemas: readonly DescMessage[]): void {
  for (const schema of schemas) {
    validator.validate(schema, create(schema));
  }
}
