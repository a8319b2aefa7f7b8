/*
 * A quick check of the rules in the proto, compiled from their options. Most requests are valid, and
 * protovalidate takes many times as long to say so. Messages that the check finds invalid, or whose rules it
 * does not know, are left to protovalidate.
 */
import { type DescField, type DescMessage, getOption, type MessageShape } from "@bufbuild/protobuf";
import { isReflectMessage, reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  field as fieldOption,
  type FieldRules,
  FieldRulesSchema,
  Ignore,
  message as messageOption,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { type Check, checkOfRule, notKnown } from "./rule-checks.ts";

const { IMPLICIT } = FeatureSet_FieldPresence;

/** Tells whether a message keeps the rules in the proto; false also if that is not known. */
export function isKnownValid<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): boolean {
  const check = checkOfMessage(schema);
  return check === undefined || check(message);
}

/** Checks by message type; null for types without rules. */
const compiled = new WeakMap<DescMessage, Check | null>();

function checkOfMessage(schema: DescMessage): Check | undefined {
  let check = compiled.get(schema);
  if (check === undefined) {
    // A type that holds itself is not known.
    compiled.set(schema, notKnown);
    check = compile(schema) ?? null;
    compiled.set(schema, check);
  }
  return check ?? undefined;
}

function compile(schema: DescMessage): Check | undefined {
  // Well-known types have no rules, and some have a form of their own in memory.
  if (schema.typeName.startsWith("google.protobuf.")) {
    return undefined;
  }
  const { cel, celExpression, oneof } = getOption(schema, messageOption);
  if (cel.length + celExpression.length + oneof.length + schema.oneofs.length > 0) {
    return notKnown;
  }
  const fields = schema.fields.flatMap((field) => {
    const check = checkOfField(field);
    return check === undefined ? [] : [{ name: field.localName, check }];
  });
  return fields.length === 0
    ? undefined
    : (message) => {
        for (const { name, check } of fields) {
          if (!check((message as Record<string, unknown>)[name])) {
            return false;
          }
        }
        return true;
      };
}

function checkOfField(field: DescField): Check | undefined {
  const rules = getOption(field, fieldOption);
  if (rules.ignore === Ignore.ALWAYS) {
    return undefined;
  }
  const check = all([
    checkOfRules(field, rules, ["required", "ignore"]),
    checkOfContent(field, rules),
  ]);
  if (rules.required) {
    return field.fieldKind === "map" ? notKnown : all([isSet, check]);
  }
  const isAlwaysChecked = rules.ignore === Ignore.UNSPECIFIED && field.presence === IMPLICIT;
  if (check === undefined || isAlwaysChecked) {
    return check;
  }
  return field.presence === IMPLICIT || field.fieldKind === "message"
    ? (value) => !isSet(value) || check(value)
    : notKnown;
}

/** The check of what a value holds: items, entries, fields. */
function checkOfContent(field: DescField, { type }: FieldRules): Check | undefined {
  const message = field.message && checkOfMessage(field.message);
  switch (field.fieldKind) {
    case "list": {
      const rules = type.case === "repeated" ? type.value.items : undefined;
      const item = all([rules && checkOfRules(field, rules), message]);
      return item && ((list) => (list as unknown[]).every(item));
    }
    case "map": {
      const rules = type.case === "map" ? type.value : undefined;
      const key = rules?.keys && checkOfRules(field, rules.keys);
      const value = all([rules?.values && checkOfRules(field, rules.values), message]);
      return all([
        key && ((map) => Object.keys(map as object).every(key)),
        value && ((map) => Object.values(map as object).every(value)),
      ]);
    }
    default:
      return message;
  }
}

/**
 * The check of the rules for a value as a whole.
 *
 * @param apart - options that are dealt with apart
 */
function checkOfRules(
  field: DescField,
  rules: FieldRules,
  apart: readonly string[] = [],
): Check | undefined {
  const checks = setOptions(reflect(FieldRulesSchema, rules), apart).map(([, ofType]) =>
    isReflectMessage(ofType) && ofType.getUnknown() === undefined
      ? all(
          setOptions(ofType, ["items", "keys", "values"]).map(([rule, limit]) =>
            checkOfRule(rule, limit, field),
          ),
        )
      : notKnown,
  );
  return all(checks);
}

/** The options that are set, with their values. */
function setOptions(options: ReflectMessage, apart: readonly string[]): [DescField, unknown][] {
  return options.fields
    .filter((option) => options.isSet(option) && !apart.includes(option.name))
    .map((option) => [option, options.get(option)]);
}

/** Combines checks; undefined if there are none. */
function all(checks: readonly (Check | undefined)[]): Check | undefined {
  const given = checks.filter((check) => check !== undefined);
  return given.length < 2 ? given[0] : (value) => given.every((check) => check(value));
}

/** Tells whether a value is not the zero value of its field. */
function isSet(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}
