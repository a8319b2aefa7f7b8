import { type DescField, getOption, hasOption, toJson } from "@bufbuild/protobuf";
import {
  field as fieldRules,
  FieldRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, test } from "vitest";
import {
  FieldRulesSchema as PgvRulesSchema,
  rules as pgvRules,
} from "../../gen/validate/validate_pb.ts";
import { remedyOf } from "../../src/catalog/rules/remedies.ts";
import { apiFields, apiRegistry } from "../support/proto-files.ts";

/*
 * The two rule languages differ in where they say that a field is required, and that rules do not
 * apply to an empty value. Both are brought to one form: the rules of the type, and these two.
 */
interface Rules {
  readonly required: boolean;
  readonly ignoreEmpty: boolean;
  readonly type: Record<string, unknown>;
}

/** Where rules of a type can have a pattern. */
interface Patterns {
  readonly string?: { readonly pattern?: string };
  readonly map?: { readonly keys?: Patterns; readonly values?: Patterns };
}

const none: Rules = { required: false, ignoreEmpty: false, type: {} };

function protovalidateRules(field: DescField): Rules {
  if (!hasOption(field, fieldRules)) {
    return none;
  }
  const json = toJson(FieldRulesSchema, getOption(field, fieldRules)) as Record<string, unknown>;
  const { required = false, ignore = "", ...type } = json;
  return { required: required as boolean, ignoreEmpty: ignore === "IGNORE_IF_ZERO_VALUE", type };
}

function protocGenValidateRules(field: DescField): Rules {
  if (!hasOption(field, pgvRules)) {
    return none;
  }
  const json = toJson(PgvRulesSchema, getOption(field, pgvRules)) as Record<string, unknown>;
  const { message = {}, ...type } = structuredClone(json) as Record<
    string,
    Record<string, unknown>
  >;
  let ignoreEmpty = false;
  for (const rules of Object.values(type)) {
    ignoreEmpty ||= rules["ignoreEmpty"] === true;
    delete rules["ignoreEmpty"];
  }
  return { required: message["required"] === true, ignoreEmpty, type };
}

describe("rules in proto", () => {
  test.each(apiFields.map((field) => [field.toString(), field] as const))(
    "protoc-gen-validate and protovalidate say the same of %s",
    (_name, field) => {
      expect(protocGenValidateRules(field)).toEqual(protovalidateRules(field));
    },
  );

  test("every field with a pattern has a remedy for people", () => {
    for (const field of apiFields) {
      const { string, map } = protovalidateRules(field).type as Patterns;
      const patterns = [
        ["value", string?.pattern],
        ["map_key", map?.keys?.string?.pattern],
        ["map_value", map?.values?.string?.pattern],
      ] as const;
      for (const [place, pattern] of patterns) {
        const what = `${place} of ${field.toString()}`;
        expect(remedyOf(field, place) !== undefined, what).toBe(pattern !== undefined);
      }
    }
  });

  // The "Validation Rule" column of the documentation, row by row; every other row is a dash.
  const documented: Record<string, Rules> = {
    "EnvVar.name": { ...none, type: { string: { pattern: "[A-Za-z_][A-Za-z0-9_]*" } } },
    "EnvVar.value_from": { ...none, type: { enum: { definedOnly: true } } },
    "WasmExtension.allowed_in": {
      ...none,
      type: { repeated: { items: { string: { minLen: "1" } } } },
    },
    "WasmExtension.phase": { ...none, type: { enum: { definedOnly: true } } },
    "WasmExtension.image_pull_policy": { ...none, type: { enum: { definedOnly: true } } },
    "WasmExtension.url": {
      ...none,
      ignoreEmpty: true,
      type: { string: { pattern: "^(oci|https?|file)://" } },
    },
  };

  test.each(["EnvVar", "GlobalTrafficSelector", "VmConfig", "WasmExtension"])(
    "%s has the documented rules and no others",
    (name) => {
      const message = apiRegistry.getMessage(`tetrateio.api.tsb.extension.v2.${name}`);
      expect(message).toBeDefined();
      for (const field of message?.fields ?? []) {
        const expected = documented[`${name}.${field.name}`] ?? none;
        expect(protocGenValidateRules(field), field.name).toEqual(expected);
      }
    },
  );
});
