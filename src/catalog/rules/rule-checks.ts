/* The standard rules of protovalidate as functions: those that proto/buf/validate declares for values. */
import type { DescField } from "@bufbuild/protobuf";

/** Tells whether a value keeps a rule; false also if that is not known. */
export type Check = (value: unknown) => boolean;

/** Longer text is left to protovalidate, whose expressions take linear time. */
const maxMatched = 8_192;

/** Is always false. */
export const notKnown: Check = () => false;

/**
 * The check of a rule.
 *
 * @param option - the option, such as `buf.validate.StringRules.pattern`
 * @param rule - what the option is set to
 * @param field - the field whose values have the rule
 */
export function checkOfRule({ parent, name }: DescField, rule: unknown, field: DescField): Check {
  switch (`${parent.name}.${name}`) {
    case "StringRules.pattern":
      return matches(new RegExp(rule as string, "u"));
    // The limits are in characters, each of which takes one or two places.
    case "StringRules.min_len":
      return (text) => Math.ceil((text as string).length / 2) >= (rule as bigint);
    case "StringRules.max_len":
      return (text) => (text as string).length <= (rule as bigint);
    case "Int32Rules.gte":
    case "Int64Rules.gte":
    case "UInt32Rules.gte":
      return (number) => (number as number) >= (rule as number);
    case "Int32Rules.lte":
    case "UInt32Rules.lte":
      return (number) => (number as number) <= (rule as number);
    case "EnumRules.defined_only":
      return (number) => field.enum?.value[number as number] !== undefined;
    case "RepeatedRules.min_items":
      return (items) => (items as unknown[]).length >= (rule as bigint);
    case "RepeatedRules.max_items":
      return (items) => (items as unknown[]).length <= (rule as bigint);
    default:
      return notKnown;
  }
}

function matches(expression: RegExp): Check {
  return (text) => (text as string).length <= maxMatched && expression.test(text as string);
}
