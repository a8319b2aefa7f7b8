import { create, equals, type JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { AttachmentSetSchema } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { escaped, unsafe } from "../../src/yaml/escape.ts";
import { readObjects } from "../../src/yaml/read.ts";
import { documentOfAttachmentSet, documentOfExtension, writeYaml } from "../../src/yaml/write.ts";
import { seedHttp, seedOci } from "../support/seed.ts";

/** Strings that are hard for YAML, of one version or the other, and any others. */
const anyText = fc.oneof(
  fc.constantFrom(
    ...[
      "yes",
      "on",
      "No",
      "~",
      "null",
      "1:30",
      "012",
      "0o14",
      "0x1f",
      "1_000",
      "1e3",
      ".5",
      "=",
      "<<",
    ],
    ...[
      "2020-01-01",
      "-",
      "- a",
      "a: b",
      "a #b",
      "#",
      "&a",
      "*a",
      "!a",
      "%a",
      "@a",
      "`a",
      "'",
      '"',
    ],
    ...[
      "",
      " ",
      " a",
      "a ",
      "a\n",
      "\na",
      "a\n\n",
      " a\nb",
      "a \nb",
      "\t",
      "a\tb",
      "\r\n",
      "---",
      "...",
    ],
    ...[
      "\u0085",
      "\u2028",
      "\ufeff",
      "\u0000",
      "\u007f",
      "\u001b[31m",
      "😀",
      "é",
      "\ufffe",
      "\u00a0",
    ],
  ),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ unit: "grapheme", maxLength: 200 }),
);

const anyConfig = fc.dictionary(
  anyText,
  fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      anyText,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(2 ** 53, 2 ** 53 + 2, 2 ** 66, 1e21, 1e-7, -0.5),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(anyText, tie("value"), { maxKeys: 3 }),
    ),
  })).value,
  { maxKeys: 4 },
) as fc.Arbitrary<JsonObject>;

const anyExtension = fc.record(
  {
    displayName: anyText,
    description: anyText,
    allowedIn: fc.array(anyText, { maxLength: 3 }),
    image: anyText,
    source: anyText,
    phase: fc.constantFrom(0, 1, 2, 3),
    priority: fc.integer({ min: -2147483648, max: 2147483647 }),
    config: anyConfig,
    imagePullPolicy: fc.constantFrom(0, 1, 2),
    imagePullSecret: anyText,
    vmConfig: fc.record({
      env: fc.array(fc.record({ name: anyText, value: anyText, valueFrom: fc.constantFrom(0, 1) })),
    }),
    url: anyText,
    match: fc.record({ mode: fc.constantFrom(0, 1, 2, 3) }),
  },
  { requiredKeys: [] },
);

const anyAttachmentSet = fc.record(
  {
    workloadSelector: fc.record({
      namespace: anyText,
      labels: fc.dictionary(anyText, anyText, { maxKeys: 3 }),
    }),
    extension: fc.array(
      fc.record(
        {
          fqn: anyText,
          config: anyConfig,
          match: fc.array(
            fc.record({
              mode: fc.constantFrom(0, 1, 2, 3),
              ports: fc.array(fc.record({ number: fc.integer({ min: 0, max: 70_000 }) })),
            }),
            { maxLength: 2 },
          ),
        },
        { requiredKeys: ["fqn"] },
      ),
      { maxLength: 3 },
    ),
  },
  { requiredKeys: [] },
);

const target = "organizations/o/tenants/t/workspaces/w/securitygroups/s";

describe("documents that are written", () => {
  test("read back as the same objects", () => {
    fc.assert(
      fc.property(anyExtension, anyAttachmentSet, (extensionInit, setInit) => {
        const fqn = "organizations/o/extensions/x";
        const extension = create(WasmExtensionSchema, { ...extensionInit, fqn });
        const attachmentSet = create(AttachmentSetSchema, { ...setInit, fqn: target });
        const text = writeYaml([
          documentOfExtension(create(WasmExtensionSchema, { ...extension, etag: "e" })),
          documentOfAttachmentSet(create(AttachmentSetSchema, { ...attachmentSet, etag: "e" })),
        ]);
        const { objects, diagnostics } = readObjects("f", text);
        expect(diagnostics).toEqual([]);
        const [first, second] = objects.map(({ object }) => object);
        expect(
          first?.kind === "WasmExtension" &&
            equals(WasmExtensionSchema, first.extension, extension),
        ).toBe(true);
        expect(
          second?.kind === "AttachmentSet" &&
            equals(AttachmentSetSchema, second.attachmentSet, attachmentSet),
        ).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("mean the same in YAML 1.1, which Kubernetes reads", () => {
    fc.assert(
      fc.property(anyConfig, (config) => {
        const [document] = parseAllDocuments(writeYaml([{ config }]), { version: "1.1" });
        expect(document && JSON.stringify(document.toJS())).toBe(JSON.stringify({ config }));
      }),
      { numRuns: 300 },
    );
  });

  test("hold nothing but characters that every parser takes", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(writeYaml([{ [text]: text }])).toMatch(
          /^[\n\t\x20-\x7e\u00a0-\u2027\u202a-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]*$/u,
        );
      }),
    );
  });

  test.each([
    // Numbers and times, to Go, PyYAML or psych.
    ...["0X1F", "0_8", "0b+1", "-_1", "1e3", "+1", ".5", "1,000", "1:30", "2024-05-01", "0755"],
    // Constants, symbols and keys with a meaning of their own; psych does not look at the case.
    ...["yes", "oN", "Off", "y", "N", "tRue", "nULL", "~", "=", ":sym", ".inf", ".NaN", ""],
    // Indicators, and what ends or folds a plain text.
    ...[
      "a: b",
      "a:",
      "a #b",
      "#",
      "- a",
      "? a",
      "&a",
      "*a",
      "!a",
      "%a",
      "@a",
      "`a",
      "'",
      "[a",
      "{a",
    ],
    ...[
      " a",
      "a ",
      "a\tb",
      "a\t",
      "---",
      "...",
      "\tx\ny",
      " \n",
      "\n",
      "a\n \nb",
      " a\nb",
      "a\r\nb",
    ],
    // Characters that some parser breaks lines at, drops or refuses.
    ...["a\u0085b", "a\u2028b", "\ufeffa", "a\ufeff", "\u007f", "\ufffe"],
  ])("have quotes around %j, which some reader takes for something else", (text) => {
    const quoted = JSON.stringify(text).replaceAll(unsafe, escaped);
    expect(writeYaml([{ text }])).toBe(`text: ${quoted}\n`);
    expect(writeYaml([{ [text]: 1 }])).toBe(`${quoted}: 1\n`);
  });

  test.each([
    "text",
    "a b",
    "a,b [c] {d}",
    "a#b",
    "a:b",
    "https://h/x?y=z",
    "x=1",
    "é",
    "_a",
    "/a",
  ])("have no quotes around %j, which is a string to everyone", (text) => {
    expect(writeYaml([{ [text]: text }])).toBe(`${text}: ${text}\n`);
  });

  test.each([
    [1e21, "1.0e+21"],
    [-1e-7, "-1.0e-7"],
    [1.5e300, "1.5e+300"],
    [-0, "-0.0"],
    [2 ** 66, "73786976294838210000"],
    [0.1, "0.1"],
  ])("write the number %d so that YAML 1.1 knows it for one", (number, text) => {
    expect(writeYaml([{ number }])).toBe(`number: ${text}\n`);
    const [document] = parseAllDocuments(writeYaml([{ number }]), { version: "1.1" });
    expect(document?.toJS()).toEqual({ number });
  });

  test("announce keys that are too long for a parser's look ahead", () => {
    const key = "k".repeat(1025);
    expect(writeYaml([{ a: { [key]: [1] } }])).toBe(`a:\n  ? ${key}\n  :\n    - 1\n`);
  });

  test("tag the merge key, which psych takes for one even in quotes", () => {
    expect(writeYaml([{ "<<": { a: "<<" } }])).toBe('!!str "<<":\n  a: "<<"\n');
  });

  test.each([
    ["a\nb", "|-\n  a\n  b\n"],
    ["a\nb\n", "|\n  a\n  b\n"],
    ["a\n\n", "|+\n  a\n\n"],
    ["a\n\n\tb \n", "|\n  a\n\n  \tb \n"],
  ])("keep the lines of %j", (text, block) => {
    expect(writeYaml([{ text }])).toBe(`text: ${block}`);
  });

  test("are the examples of the API page as they are printed there", () => {
    const text = `${seedOci}---\n${seedHttp}`;
    const written = readObjects("f", text).objects.map(({ object }) =>
      object.kind === "WasmExtension" ? documentOfExtension(object.extension) : {},
    );
    expect(writeYaml(written)).toBe(text);
  });
});
