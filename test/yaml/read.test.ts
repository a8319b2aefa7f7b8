import { describe, expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { formatDiagnostic } from "../../src/yaml/diagnostic.ts";
import { readObjects } from "../../src/yaml/read.ts";
import { seedHttp, seedOci } from "../support/seed.ts";

const target = "organizations/org/tenants/t/workspaces/w/gatewaygroups/g/ingressgateways/web";
const attachmentSet = `apiVersion: wasmext/v1
kind: AttachmentSet
metadata:
  fqn: ${target}
spec:
  workloadSelector:
    namespace: web
    labels:
      app: ingress
  extension:
    - fqn: organizations/org/extensions/wasm-auth
      config: {}
    - fqn: organizations/org/extensions/wasm-http
      match:
        - mode: CLIENT
          ports:
            - number: 80
`;

/** What is wrong with a text, without the name of the file. */
function diagnosticsOf(text: string): string[] {
  return readObjects("f", text).diagnostics.map((diagnostic) =>
    formatDiagnostic(diagnostic).slice(2),
  );
}

/** The first example with one piece of it replaced, which has to be there. */
function changed(from: string, to: string, text = seedOci): string {
  expect(text).toContain(from);
  return text.replace(from, to);
}

describe("documents", () => {
  test("hold extensions as the API page prints them", () => {
    const { objects, diagnostics } = readObjects("f", `${seedOci}---\n${seedHttp}`);
    expect(diagnostics).toEqual([]);
    expect(objects).toMatchObject([
      {
        fqn: "organizations/org/extensions/wasm-auth",
        position: { file: "f", line: 1, column: 1 },
        object: {
          kind: "WasmExtension",
          extension: {
            fqn: "organizations/org/extensions/wasm-auth",
            etag: "",
            allowedIn: ["organizations/org/tenants/tenant1"],
            description: "Long description for the extension such as an\nentire README file\n",
            phase: Phase.AUTHZ,
            priority: 1000,
            config: { some_key: "some_value" },
          },
        },
      },
      {
        fqn: "organizations/org/extensions/wasm-http",
        position: { line: 19 },
        object: { extension: { url: "http://tetrate.io/my-extension.wasm" } },
      },
    ]);
  });

  test("hold attachment sets", () => {
    const { objects, diagnostics } = readObjects("f", attachmentSet);
    expect(diagnostics).toEqual([]);
    expect(objects).toMatchObject([
      {
        fqn: target,
        object: {
          kind: "AttachmentSet",
          attachmentSet: {
            fqn: target,
            workloadSelector: { namespace: "web", labels: { app: "ingress" } },
            extension: [{ config: {} }, { match: [{ ports: [{ number: 80 }] }] }],
          },
        },
      },
    ]);
  });

  test.each([
    ["a comment and separators", `# one\n---\n---\n${seedOci}---\n# end\n...\n`],
    ["Windows line ends", seedOci.replaceAll("\n", "\r\n")],
    ["a byte order mark", `\ufeff${seedOci}`],
    [
      "display name and description in metadata",
      changed(
        "  name:",
        "  displayName: D\n  description: |\n    Long description for the extension such as an\n    entire README file\n  name:",
      ),
    ],
    ["proto names", changed("allowedIn", "allowed_in")],
    ["a list that is not indented", changed("    - organizations", "  - organizations")],
    [
      "an anchor",
      changed("config:\n    some_key: some_value", "config:\n    a: &x {b: 1}\n    c: *x"),
    ],
    [
      "JSON, indented by tabs",
      '{\n\t"apiVersion": "extension.tsb.tetrate.io/v2",\n\t"kind": "WasmExtension",\n\t"metadata": {"organization": "o", "name": "n"},\n\t"spec": {"url": "oci://x"}\n}',
    ],
  ])("may have %s", (_what, text) => {
    const { objects, diagnostics } = readObjects("f", text);
    expect(diagnostics).toEqual([]);
    expect(objects).toHaveLength(1);
  });

  const inJson = (name: string): object => ({
    apiVersion: "extension.tsb.tetrate.io/v2",
    kind: "WasmExtension",
    metadata: { organization: "o", name },
    spec: { url: "oci://x", config: { n: 1e-7 } },
  });
  const listOf = (...items: object[]): object => ({ apiVersion: "v1", kind: "List", items });

  test.each([
    ["a list", JSON.stringify([inJson("a"), inJson("b")], undefined, 2)],
    [
      "one object after the other",
      `${JSON.stringify(inJson("a"))}\n${JSON.stringify(inJson("b"))}`,
    ],
    ["a List of Kubernetes", JSON.stringify(listOf(inJson("a"), inJson("b")))],
    ["Lists in a List", JSON.stringify(listOf(listOf(inJson("a")), listOf(), inJson("b")))],
    [
      "a List in YAML",
      `apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ""}\nitems:\n${["a", "b"]
        .map((name) => `- ${JSON.stringify(inJson(name)).replace("1e-7", "1.0e-7")}\n`)
        .join("")}`,
    ],
  ])("may be several in JSON, as %s", (_what, text) => {
    const { objects, diagnostics } = readObjects("f", text);
    expect(diagnostics).toEqual([]);
    expect(objects.map(({ fqn }) => fqn)).toEqual([
      "organizations/o/extensions/a",
      "organizations/o/extensions/b",
    ]);
  });

  test("of a List have their places", () => {
    const text = `apiVersion: v1\nkind: List\nitems:\n- ${seedHttp.replaceAll("\n", "\n  ").trimEnd()}\n`;
    const [found] = readObjects("f", text).objects;
    expect(found?.position).toEqual({ file: "f", line: 4, column: 3 });
    const diagnostic = found?.diagnosticOfField("url", "no");
    expect(diagnostic && formatDiagnostic(diagnostic)).toBe("f:10:10: items[0].spec.url: no");
    expect(diagnosticsOf(text.replace("AUTHZ", "x"))).toEqual([
      expect.stringContaining('15:12: items[0].spec.phase: "x" is not valid'),
    ]);
  });

  test.each([
    ["items: []\n", "1:1: apiVersion: must be v1 for a List"],
    ["apiVersion: v1\n", "1:1: items: must be a list of objects"],
    ["apiVersion: v1\nitems: {}\n", "2:8: items: must be a list of objects"],
    ["apiVersion: v1\nitems: [1]\n", "2:9: items[0]: a document has to be a mapping"],
    ["apiVersion: v1\nitems: []\nspec: 1\n", "3:1: spec: unknown field"],
  ])("of a List that is %j are refused", (rest, expected) => {
    expect(diagnosticsOf(`${rest}kind: List\n`)).toEqual([expect.stringContaining(expected)]);
  });

  test("that hold nothing are no objects", () => {
    for (const text of ["", "\n", "# nothing\n", "---\n---\n", "null\n"]) {
      expect(readObjects("f", text)).toEqual({ objects: [], diagnostics: [] });
    }
  });

  test("keep keys as they are written, and numbers", () => {
    const text = changed(
      "some_key: some_value",
      '1: one\n    "on": "yes"\n    big: 9007199254740993000\n    __proto__: x\n    hex: 0x10\n    e: 1.0e+3',
    );
    const [found] = readObjects("f", text).objects;
    expect(found?.object).toHaveProperty(
      "extension.config",
      JSON.parse(
        '{"1": "one", "on": "yes", "big": 9007199254740993000, "__proto__": "x", "hex": 16, "e": 1000}',
      ),
    );
  });
});

describe("what is wrong is named with file, line, column and field", () => {
  const fields = "displayName, description, allowedIn, image, source, phase, priority, config,";
  const name = "write 1 to 63 lower-case letters";

  test.each([
    [
      "an unknown field",
      changed("allowedIn", "allowedInn"),
      `7:3: spec.allowedInn: unknown field; write one of ${fields}`,
    ],
    [
      "an unknown field of metadata",
      changed("  name:", "  tenant: t\n  name:"),
      "5:3: metadata.tenant: unknown field; write one of organization, name, displayName",
    ],
    [
      "an unknown field of the document",
      `${seedOci}status: {}\n`,
      "18:1: status: unknown field; write one of apiVersion, kind, metadata, spec",
    ],
    [
      "an unknown field in a list",
      changed("ports:", "prots:", attachmentSet),
      "16:11: spec.extension[1].match[0].prots: unknown field; write one of mode, ports",
    ],
    [
      "a wrong kind",
      changed("kind: WasmExtension", "kind: WasmPlugin"),
      '2:7: kind: "WasmPlugin" is not known; write WasmExtension or AttachmentSet',
    ],
    [
      "no kind",
      changed("kind: WasmExtension\n", ""),
      "1:1: kind: is missing; write WasmExtension or AttachmentSet",
    ],
    [
      "a wrong version",
      changed("io/v2", "io/v3"),
      '1:13: apiVersion: "extension.tsb.tetrate.io/v3" is not known; write extension.tsb.tetrate.io/v2 for a WasmExtension',
    ],
    ["a document that is no mapping", "hello\n", "1:1: a document has to be a mapping"],
    [
      "no metadata",
      changed("metadata:\n  organization: org\n  name: wasm-auth\n", ""),
      "1:1: metadata: is missing; write organization and name there",
    ],
    ["no name", changed("  name: wasm-auth\n", ""), "4:3: metadata.name: is missing"],
    [
      "a name that is none",
      changed("wasm-auth", "Wasm"),
      `5:9: metadata.name: "Wasm" is not a name; ${name}`,
    ],
    ["a number for a name", changed("wasm-auth", "12"), "5:9: metadata.name: 12 is not a string"],
    [
      "an fqn that is no target's",
      changed("/ingressgateways/web", "", attachmentSet),
      "4:8: metadata.fqn: ",
    ],
    [
      "no spec",
      changed(seedOci.slice(seedOci.indexOf("spec:")), ""),
      "1:1: spec: is missing; write the fields of the WasmExtension there",
    ],
    [
      "an unknown value of an enum",
      changed("AUTHZ", "AUTHX"),
      '14:10: spec.phase: "AUTHX" is not valid; write one of UNSPECIFIED_PHASE, AUTHN',
    ],
    [
      "a string for a number",
      changed("1000", "high"),
      '15:13: spec.priority: "high" is not valid; write a whole number',
    ],
    [
      "a number beyond int32",
      changed("1000", "2147483648"),
      "15:13: spec.priority: 2147483648 is not valid; write a whole number from -2147483648",
    ],
    [
      "a number for a string",
      changed("app: ingress", "app: 1.0", attachmentSet),
      "9:12: spec.workloadSelector.labels.app: 1 is not valid; write a string, in quotes",
    ],
    [
      "a string for a list",
      changed("allowedIn:\n    - organizations/org/tenants/tenant1", "allowedIn: x"),
      '7:14: spec.allowedIn: "x" is not valid; write a list',
    ],
    [
      "a list for a mapping",
      changed("config:\n    some_key: some_value", "config: [1]"),
      "16:11: spec.config: [1] is not valid; write keys and values",
    ],
    [
      "a string for a message",
      changed("config:\n    some_key: some_value", "match: CLIENT"),
      '16:10: spec.match: "CLIENT" is not valid; write mode',
    ],
    [
      "a key without a value",
      changed("allowedIn:\n    - organizations/org/tenants/tenant1", "allowedIn:"),
      "7:3: spec.allowedIn: has no value",
    ],
    [
      "an item without a value",
      changed("- organizations/org/tenants/tenant1", "-"),
      "8:6: spec.allowedIn[0]: null is not valid; write a string",
    ],
    ["an etag", changed("spec:", "spec:\n  etag: x"), "7:3: spec.etag: is set by the server"],
    ["an fqn in spec", changed("spec:", "spec:\n  fqn: x"), "7:3: spec.fqn: is made from metadata"],
    [
      "two descriptions",
      changed("  name:", "  description: x\n  name:"),
      "12:16: spec.description: differs from metadata.description",
    ],
    [
      "two display names",
      changed("spec:", "  displayName: a\nspec:\n  display_name: b"),
      "8:17: spec.display_name: differs from metadata.displayName",
    ],
    [
      "a field under both of its names",
      changed("  url:", "  allowed_in: []\n  url:"),
      "9:3: spec.allowed_in: is a duplicate of the same field under its other name; keep one",
    ],
    ["bad indentation", changed("  url:", "   url:"), "9:1: the indentation does not match"],
    [
      "a key that is indented too far",
      changed("  source:", "    source:"),
      "wrong indentation or missing quotes",
    ],
    [
      "a tab",
      changed("  url:", "\turl:"),
      "9:1: tabs are not allowed for indentation; indent with spaces",
    ],
    [
      "a duplicate key",
      changed("  source:", "  url: x\n  source:"),
      "10:3: duplicate key url in the same mapping; keep one",
    ],
    [
      "a colon without quotes",
      changed("some_value", "a: b"),
      "17:15: wrong indentation or missing quotes",
    ],
    [
      "an unknown tag",
      changed("some_value", "!secret x"),
      "17:15: the tag !secret does not name a JSON type; leave it out",
    ],
    [
      "an alias of nothing",
      changed("some_value", "*x"),
      "17:15: *x names an anchor that is not defined before it",
    ],
    [
      "a number that is not held exactly",
      changed("some_value", "9007199254740993"),
      "17:15: 9007199254740993 is too precise for a JSON number; put quotes",
    ],
    ["infinity", changed("some_value", "-.inf"), "17:15: -.inf is not a JSON number"],
    ["an open quote", changed("some_value", '"x'), "this is not YAML: Missing closing"],
    ["deep nesting", changed("some_value", "[".repeat(20_000)), "nested too deeply"],
  ])("%s", (_what, text, expected) => {
    const diagnostics = diagnosticsOf(text);
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]).toContain(expected);
    expect(diagnostics[0]).toMatch(/^\d+:\d+: /);
  });

  test.each([
    [
      "match",
      seedOci,
      "config:\n    some_key: some_value",
      "match:\n    mode:",
      "17:5: spec.match.mode",
    ],
    ["an attachment", attachmentSet, "config: {}", "config:", "12:7: spec.extension[0].config"],
    [
      "a selector",
      attachmentSet,
      "namespace: web",
      "namespace:",
      "7:5: spec.workloadSelector.namespace",
    ],
  ])("a key without a value inside of %s", (_where, text, from, to, expected) => {
    expect(diagnosticsOf(changed(from, to, text))).toEqual([
      expect.stringContaining(`${expected}: has no value`),
    ]);
  });

  test.each([
    [
      "an anchor that holds itself",
      "config:\n    some_key: some_value",
      "config: &c\n    a: *c",
      "*c refers to a value that contains it",
    ],
    ["a merge", "some_key: some_value", "<<: {a: 1}", "17:5: << merges in other versions of YAML"],
    [
      "a list that is not closed",
      "config:",
      "match: [a, b\n  config:",
      "this is not YAML: Flow sequence",
    ],
    [
      "a duplicate key with a colon",
      "some_key: some_value",
      '"a:b": 1\n    "a:b": 2',
      "duplicate key a:b",
    ],
    [
      "nesting that JSON holds and no message does",
      "some_value",
      `${"[".repeat(100)}${"]".repeat(100)}`,
      "17:5: spec.config: nests deeper than 64 levels",
    ],
    [
      "nesting that nothing holds",
      "some_value",
      `${"[".repeat(300)}${"]".repeat(300)}`,
      "nest it less deeply",
    ],
  ])("%s", (_what, from, to, expected) => {
    const diagnostics = diagnosticsOf(changed(from, to));
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]).toContain(expected);
  });

  test("YAML of another version", () => {
    const text = `%YAML 1.1\n---\n${changed("some_value", "2024-05-01")}`;
    expect(diagnosticsOf(text)).toEqual([
      expect.stringContaining("a version other than 1.2; leave it out"),
    ]);
  });

  test("a template in quotes, or in a text", () => {
    expect(diagnosticsOf(changed("wasm-auth", '"{{ .Release.Name }}"'))).toEqual([
      expect.stringMatching(/^5:9: metadata\.name: .*; if it is a template, render it first$/),
    ]);
    const text = changed("oci://docker.io", "oci://{{ .Values.host }}");
    const diagnostic = readObjects("f", text).objects[0]?.diagnosticOfField("url", "is no url");
    expect(diagnostic?.message).toBe("is no url; if it is a template, render it first");
  });

  test("what comes before a document that cannot be read", () => {
    const text = `${changed("allowedIn", "allow")}---\n${seedHttp}---\na: [\n---\nb: 1\n`;
    expect(diagnosticsOf(text)).toEqual([
      expect.stringMatching(/^7:3: spec\.allow: /),
      expect.stringMatching(/^36:1: this is not YAML/),
    ]);
  });

  test("many problems, as far as people read", () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `  x${index}: 1\n`).join("");
    const diagnostics = diagnosticsOf(`${seedOci}${lines}`);
    expect(diagnostics).toHaveLength(21);
    expect(diagnostics.at(-1)).toBe("38:3: and 19980 more problems from here on");
  });

  test("a mapping of 100,000 keys is read in reasonable time", () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => `    k${index}: 1\n`).join("");
    expect(diagnosticsOf(`${seedOci}${lines}`)).toEqual([
      expect.stringContaining("17:5: spec.config: "),
    ]);
  });

  test("all of it, by line", () => {
    const text = changed("priority", "prio", changed("allowedIn", "allow"));
    expect(diagnosticsOf(`${text}---\n${changed("AUTHZ", "1.5", seedHttp)}`)).toEqual([
      expect.stringMatching(/^7:3: spec\.allow: /),
      expect.stringMatching(/^15:3: spec\.prio: /),
      expect.stringMatching(/^30:10: spec\.phase: /),
    ]);
  });

  test("a value that its keys are missing from names the key that lost it", () => {
    expect(diagnosticsOf(changed("    some_key", "  some_key"))).toEqual([
      expect.stringContaining("16:3: spec.config: has no value"),
      expect.stringContaining("17:3: spec.some_key: unknown field"),
    ]);
  });

  test("a few aliases that stand for very much are refused", () => {
    const nine = (item: string): string => `[${Array.from({ length: 9 }, () => item).join(", ")}]`;
    const lines = [`a0: &a0 ${nine("x")}`];
    for (let level = 1; level < 10; level++) {
      lines.push(`a${level}: &a${level} ${nine(`*a${level - 1}`)}`);
    }
    expect(diagnosticsOf(lines.join("\n"))).toEqual([
      expect.stringContaining("expand to more than 10000 values"),
    ]);
  });

  test("aliases that multiply are refused", () => {
    const lines = ["a0: &a0 [x]"];
    for (let level = 1; level < 30; level++) {
      const aliases = Array.from({ length: 10 }, () => `*a${level - 1}`);
      lines.push(`a${level}: &a${level} [${aliases.join(", ")}]`);
    }
    expect(diagnosticsOf(lines.join("\n"))).toEqual([
      expect.stringContaining("expand to more than 10000 values"),
    ]);
  });
});

describe("what a server says of a field is found in the file", () => {
  const text = `${seedOci}  vmConfig:
    env:
      - name: A
      - name: "1"
`;

  test.each([
    ["url", "9:8: spec.url"],
    ["vm_config.env[1].name", "21:15: spec.vmConfig.env[1].name"],
    ["vm_config.env[7].name", "20:7: spec.vmConfig.env"],
    ['config.fields["some_key"].string_value', "17:15: spec.config.some_key"],
    ["allowed_in[0]", "8:7: spec.allowedIn[0]"],
    ["image_pull_secret", "7:3: spec.imagePullSecret"],
  ])("%s", (field, expected) => {
    const [found] = readObjects("f", text).objects;
    const diagnostic = found?.diagnosticOfField(field, "no");
    expect(diagnostic && formatDiagnostic(diagnostic)).toBe(`f:${expected}: no`);
  });

  test("in metadata, where it stands there", () => {
    const [found] = readObjects("f", changed("  name:", "  displayName: D\n  name:")).objects;
    const diagnostic = found?.diagnosticOfField("display_name", "no");
    expect(diagnostic && formatDiagnostic(diagnostic)).toBe("f:5:16: metadata.displayName: no");
  });
});
