import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  getOption,
  type Message,
  type MessageInitShape,
  ScalarType,
  setExtension,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Type,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import {
  field as fieldOption,
  type FieldRules,
  FieldRulesSchema,
  Ignore,
  type StringRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WorkloadSelectorSchema } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { isKnownValid } from "../../../src/catalog/rules/quick-check.ts";
import { apiFiles } from "../../support/proto-files.ts";

const validator = createValidator();

/** Text that often keeps the rules, or nearly. */
function anyText(rules: FieldRules | undefined): fc.Arbitrary<string> {
  const pattern = rules?.type.case === "string" ? rules.type.value.pattern : "";
  const matching = fc.stringMatching(new RegExp(pattern === "" ? "^.?$" : pattern));
  return fc.oneof(
    { weight: 8, arbitrary: matching },
    fc.constantFrom("", "é", "\u{1f600}", "\ud800", "\n"),
    fc.tuple(matching, fc.constantFrom("", "/", "\n", "A", "-")).map((parts) => parts.join("")),
    fc.string({ unit: "binary", maxLength: 70 }),
  );
}

function anyValue(
  field: DescField,
  rules: FieldRules | undefined,
  depth: number,
): fc.Arbitrary<unknown> {
  if (field.message !== undefined) {
    return field.message.typeName.startsWith("google.protobuf.")
      ? fc.constant(undefined)
      : anyMessage(field.message, depth + 1);
  }
  switch (field.fieldKind === "enum" ? ScalarType.INT32 : field.scalar) {
    case ScalarType.STRING:
      return anyText(rules);
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array();
    case ScalarType.INT64:
      return fc.constantFrom(-1n, 0n, 1n, 2n ** 62n);
    case ScalarType.UINT32:
      return fc.constantFrom(0, 1, 80, 65_535, 65_536);
    default:
      return fc.constantFrom(-1, 0, 0, 1, 1, 2, 3, 4, 1_000);
  }
}

function anyField(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const { type } = getOption(field, fieldOption);
  if (field.fieldKind === "list") {
    const items = type.case === "repeated" ? type.value.items : undefined;
    const value = anyValue(field, items, depth);
    const some = fc.array(value, { maxLength: 3 });
    const many = type.case === "repeated" ? Number(type.value.maxItems) : 0;
    const filled = (length: number) => value.map((each) => Array<unknown>(length).fill(each));
    return many === 0 ? some : fc.oneof(some, some, filled(many), filled(many + 1));
  }
  if (field.fieldKind === "map") {
    const { keys, values } = type.case === "map" ? type.value : {};
    return fc.dictionary(anyText(keys), anyValue(field, values, depth), { maxKeys: 3 });
  }
  const value = anyValue(field, getOption(field, fieldOption), depth);
  return field.fieldKind === "message" ? fc.option(value, { nil: undefined, freq: 6 }) : value;
}

function anyMessage(schema: DescMessage, depth = 0): fc.Arbitrary<Message> {
  const fields = schema.fields.filter((field) => field.oneof === undefined && depth < 4);
  const init = fields.map((field) => [field.localName, anyField(field, depth)] as const);
  return fc
    .record(Object.fromEntries(init))
    .map((values) => Object.assign(create(schema), values) as Message);
}

const requests = new Set(
  apiFiles.flatMap(({ services }) =>
    services.flatMap(({ methods }) => methods.map((rpc) => rpc.input)),
  ),
);

describe("the quick check says what protovalidate says", () => {
  test.each([...requests].map((schema) => [schema.typeName, schema] as const))(
    "of %s",
    (_, schema) => {
      fc.assert(
        fc.property(anyMessage(schema), (message) => {
          const { kind } = validator.validate(schema, message);
          expect(kind).not.toBe("error");
          expect(isKnownValid(schema, message)).toBe(kind === "valid");
        }),
      );
    },
  );
});

test("rules that the quick check does not know are left to protovalidate", () => {
  const withRules = (rules: MessageInitShape<typeof FieldRulesSchema>) => {
    const options = create(FieldOptionsSchema);
    setExtension(options, fieldOption, create(FieldRulesSchema, rules));
    const field = { name: "text", number: 1, type: FieldDescriptorProto_Type.STRING, options };
    const file = create(FileDescriptorProtoSchema, {
      name: "a.proto",
      syntax: "proto3",
      messageType: [{ name: "A", field: [field] }],
    });
    const schema = createFileRegistry(file, () => undefined).getMessage("A");
    return (
      schema !== undefined && isKnownValid(schema, Object.assign(create(schema), { text: "a@b" }))
    );
  };
  const string = (rules: MessageInitShape<typeof StringRulesSchema>) =>
    withRules({ type: { case: "string", value: rules } });
  expect(string({ pattern: "^a" })).toBe(true);
  expect(string({ pattern: "^a", wellKnown: { case: "email", value: true } })).toBe(false);
  expect(withRules({ cel: [{ id: "x", expression: "this == 'a@b'" }] })).toBe(false);
  expect(withRules({ ignore: Ignore.ALWAYS, cel: [{ id: "x", expression: "false" }] })).toBe(true);
});

test("the quick check leaves text of any length that is matched to protovalidate", () => {
  const labels = { ["a.".repeat(2_000_000)]: "" };
  const selector = create(WorkloadSelectorSchema, { labels });
  expect(isKnownValid(WorkloadSelectorSchema, selector)).toBe(false);
});
