import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseYaml } from "../../src/yaml/document.ts";

/** The values of the documents of a text, and what is wrong with it from there on. */
function read(text: string): (JsonValue | string)[] {
  return [...parseYaml("f", text)].map((item) => {
    if (item.kind === "document") {
      return item.document.value;
    }
    const { line, column, message } = item.diagnostic;
    return `${line}:${column}: ${message}`;
  });
}

const problem = (text: string): unknown => expect.stringContaining(text);

describe("tags", () => {
  test.each([
    ["!!omap", "a: !!omap [a: 1]", "1:4"],
    ["!!set", "a:\n  - !!set {a, b}", "2:5"],
    ["!!binary", "a: !!binary aGk=", "1:4"],
    ["!!timestamp", "a: !!timestamp 2001-01-01", "1:4"],
    ["!!pairs", "a: !!pairs [a: 1]", "1:4"],
    ["!!merge", "a: 1\n!!merge <<: {}", "2:1"],
    ["!!python/name:os.system", "a: !!python/name:os.system x", "1:4"],
    ["!secret", "!secret a: 1", "1:1"],
    ["!", "a: ! 12", "1:4"],
    ["!<tag:example.com,2000:x>", "a: [!<tag:example.com,2000:x> 1]", "1:5"],
    ["!!omap", "? !!omap [a]\n: 1", "1:3"],
    ["!!set", '{"a": !!set {}}', "1:7"],
  ])("%s in %j is refused at its place", (tag, text, place) => {
    expect(read(text)).toEqual([
      `${place}: the tag ${tag} does not name a JSON type; leave it out`,
    ]);
  });

  test.each<[text: string, value: JsonValue]>([
    ["a: !!str 0755", { a: "0755" }],
    ["a: !!str", { a: "" }],
    ["!!str yes: !!int 1", { yes: 1 }],
    ["a: !!float 1.5", { a: 1.5 }],
    ['a: !!int "12"', { a: 12 }],
    ["a: !!bool true", { a: true }],
    ["a: !!null", { a: null }],
    ["!!map {a: !!seq [1]}", { a: [1] }],
    ["a: !<tag:yaml.org,2002:str> 12", { a: "12" }],
  ])("of JSON's types in %j name what the value is", (text, value) => {
    expect(read(text)).toEqual([value]);
  });

  test.each(["!!int 0755", "!!int x", "!!bool yes", "!!map []", "!!seq {}", "!!null x"])(
    "of JSON's types do not change a value: %s is refused",
    (text) => {
      expect(read(`a: ${text}`)).toEqual([
        expect.stringMatching(/; leave the tag out$|put quotes around it/),
      ]);
    },
  );

  test.each(["%TAG ! tag:example.com,2000:", "%FOO"])("cannot be declared: %s", (directive) => {
    expect(read(`${directive}\n---\na: 1`)).toEqual([problem("is not supported; leave it out")]);
  });
});

describe("aliases", () => {
  const repeated = (text: string, times: number): string =>
    `[${Array(times).fill(text).join(", ")}]`;

  test.each([
    [
      "twenty in two levels",
      `a: &a ${repeated("x", 10)}\nb: &b ${repeated("*a", 10)}\nc: ${repeated("*b", 10)}`,
    ],
    ["a hundred and more of a scalar", `a: &a x\nb: ${repeated("*a", 150)}`],
    ["of mappings", `a: &a {b: 1}\nb: ${repeated("*a", 500)}`],
    ["of anchors that are given anew", "a: &a 1\nb: *a\nc: &a 2\nd: *a"],
  ])("%s are written out", (_what, text) => {
    const [value, ...more] = read(text);
    expect(value).toBeTypeOf("object");
    expect(more).toEqual([]);
  });

  test.each([
    ["of a scalar", `a: &a x\nb: ${repeated("*a", 10_001)}`],
    [
      "in levels",
      `a: &a ${repeated("x", 60)}\nb: &b ${repeated("*a", 60)}\nc: ${repeated("*b", 60)}`,
    ],
    ["of a mapping", `a: &a {b: {c: 1}}\nb: ${repeated("*a", 4_000)}`],
  ])("too many %s are refused, with one message", (_what, text) => {
    expect(read(text)).toEqual([
      problem("the aliases expand to more than 10000 values; write the values out"),
    ]);
  });

  test.each([
    ["a: &a {b: *a}", "refers to a value that contains it"],
    ["&a [*a]", "refers to a value that contains it"],
    ["a: &a [[*a]]", "refers to a value that contains it"],
    ["a: *b\nb: &b 1", "is not defined before it"],
    ["&a x: 1\n*a : 2", "is an alias as a key"],
    ["a: &x 1\n---\nb: *x", "is not defined before it"],
  ])("%j is refused", (text, message) => {
    expect(read(text).at(-1)).toEqual(problem(message));
  });

  test("an anchor that no alias names is no problem", () => {
    expect(read("a: &x 1\nb: &y {c: &z [1]}")).toEqual([{ a: 1, b: { c: [1] } }]);
  });
});

describe("JSON", () => {
  const anyObject = fc.dictionary(
    fc.string({ unit: "grapheme" }),
    fc.jsonValue({ noUnicodeString: false }),
  ) as fc.Arbitrary<JsonValue>;
  const written = fc.constantFrom(undefined, 2, "\t");

  test("of several objects in one text is a document each", () => {
    fc.assert(
      fc.property(
        fc.array(anyObject, { minLength: 1 }),
        written,
        fc.constantFrom("", "\n", " ", "\r\n\r\n", "\n---\n"),
        (values, indent, between) => {
          const text = values
            .map((value) => JSON.stringify(value, undefined, indent))
            .join(between);
          expect(JSON.stringify(read(text))).toBe(JSON.stringify(values));
        },
      ),
    );
  });

  test("of a list is a document for each item", () => {
    fc.assert(
      fc.property(fc.array(anyObject), written, (values, indent) => {
        const text = `${JSON.stringify(values, undefined, indent)}\n`;
        expect(JSON.stringify(read(text))).toBe(JSON.stringify(values));
      }),
    );
  });

  test("keeps its places, and is read again from there", () => {
    const items = [
      ...parseYaml("f", '# all\n[ {"a": 1}, # one\n  {"b": {"c": [2]}} ]\n{"d": 3}\n'),
    ];
    const places = items.map((item) => {
      if (item.kind !== "document") {
        throw new Error(item.diagnostic.message);
      }
      const again = item.document.readAgain();
      expect(again.value).toEqual(item.document.value);
      expect(again.position).toEqual(item.document.position);
      return `${again.position.line}:${again.position.column}`;
    });
    expect(places).toEqual(["2:3", "3:3", "4:1"]);
  });

  test.each([
    ['[{"a": 1}', "1:1: this is not YAML: the list that begins here is not closed; write ]"],
    ['[{"a": 1}\n---\nb: 1', "the list that begins here is not closed"],
    ['[{"a": 1}}', "1:10: this is not YAML: a list ends with ]"],
    ['[{"a": 1} {"b": 1}]', "1:11: this is not YAML"],
    ['[{"a": 1},, {"b": 1}]', "1:11: this is not YAML: there is no item before this comma"],
    ['{"a": 1}, {"b": 2}', "1:9: the document has ended before this; write ---"],
    ['{"a": 1} x', "the document has ended before this"],
    ["[a]: b", "the document has ended before this"],
    ['{"a": 1}\n{"b": 1', "this is not YAML"],
    ['{"a": 1, "a": 2}', "1:10: duplicate key a"],
  ])("%j is refused", (text, message) => {
    expect(read(text).at(-1)).toEqual(problem(message));
  });
});

describe("concatenated files", () => {
  test.each([
    ["a: 1\n\ufeff---\nb: 2\n"],
    ["\ufeffa: 1\n---\n\ufeffb: 2\n"],
    ["\ufeffa: 1\n\ufeffb: 2\n"],
    ["\ufeffa: 1\r\n\ufeff# two\r\nb: 2\r\n"],
    ['\ufeff{"a": 1}\n\ufeff{"b": 2}\n'],
    ['\ufeff{"a": 1}\n\ufeff---\n\ufeffb: 2\n'],
  ])("%j are two documents", (text) => {
    expect(read(text)).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test("keep their lines and columns", () => {
    expect(read("\ufeffa: 1\n\ufeff---\n\ufeffb: 1\nb: 2\n").at(-1)).toEqual(
      problem("4:1: duplicate key b"),
    );
    expect(read("\ufeffa: 1\n\ufeffb: [\n").at(-1)).toEqual(problem("3:1: "));
    expect(read("a: 1\n\ufeffb: *c\n").at(-1)).toEqual(problem("2:4: *c"));
  });

  test("without a line end between are refused", () => {
    expect(read("a: 1\ufeff---\nb: 2\n")).toEqual([
      problem("1:5: unexpected byte order mark inside a line"),
    ]);
  });
});

describe("templates", () => {
  test.each([
    ["a: 1\nurl: {{ .Values.x }}", "2:6"],
    ["{{- if .Values.x }}\na: 1\n{{- end }}", "1:1"],
    ["a:\n  {{- toYaml .Values.x | nindent 2 }}", "2:3"],
    ["a: [{{ .Values.x }}]", "1:5"],
    ["- {{ .Values.x }}", "1:3"],
    ["{% if x %}\na: 1", "1:1"],
    ["name: {{ .Release.Name }}-x", "1:7"],
  ])("%j is said to be one", (text, place) => {
    expect(read(text)).toEqual([problem(`${place}: this is a template; render it first`)]);
  });

  test.each(['a: "{{ .Values.x }}"', "a: x {{ y }}", "a: |\n  {{ x }}", "a: {b: {c: 1}}"])(
    "%j is a value",
    (text) => {
      expect(read(text)).toEqual([expect.objectContaining({ a: expect.anything() as unknown })]);
    },
  );
});

describe("characters that readers take for different things", () => {
  test.each([
    ["\u2028", "\\u2028"],
    ["\u0085", "\\u0085"],
    ["\u0007", "\\u0007"],
    ["\u007f", "\\u007f"],
    ["\ufffe", "\\ufffe"],
    ["\r", "\\u000d"],
  ])("%j is refused where it stands bare, and taken as an escape", (character, escape) => {
    for (const text of [
      `x${character}y`,
      `"x${character}y"`,
      `'x${character}y'`,
      `x # ${character}`,
    ]) {
      expect(read(`a: 1\nb: ${text}`)).toEqual([problem(`write it as "${escape}"`)]);
    }
    expect(read(`a: "${escape}"`)).toEqual([{ a: character }]);
  });

  test("are taken in JSON, which knows no such difference", () => {
    expect(read('{"a": "\u2028\u0085\ufeff"}')).toEqual([{ a: "\u2028\u0085\ufeff" }]);
  });
});

describe("limits", () => {
  test.each([
    ["keys", (n: number) => Array.from({ length: n }, (_, i) => `k${i}: 1\n`).join("")],
    ["items in JSON", (n: number) => `{"a": [${"1,".repeat(n)}1]}`],
    ["empty items", (n: number) => `a:\n${"-\n".repeat(n)}`],
  ])("a document of a million %s is refused before all of it is parsed", (_what, textOf) => {
    expect(read(`b: 1\n---\n${textOf(1_000_000)}`)).toEqual([
      { b: 1 },
      problem("the document has more than 400000 keys and values; split it, with ---"),
    ]);
  });

  test.each([
    ["characters", `a: "${"x".repeat(33 * 1024 * 1024)}"`, "has more than 33554432 characters"],
    ["comments", "# c\n".repeat(1_100_000), "has too many comments and line ends"],
    ["line ends", `a:${"\n".repeat(2_100_000)} b`, "has too many comments and line ends"],
  ])("a document of very many %s is refused", (_what, text, message) => {
    expect(read(text)).toEqual([problem(message)]);
  });

  test("a list of any length is read item by item", () => {
    const item = '{"a":1,"b":[1,2,3]}';
    const items = read(`[${`${item},`.repeat(59_999)}${item}]`);
    expect(items).toHaveLength(60_000);
  }, 60_000);

  test.each([
    ["[", "["],
    ["{", '{"a":'],
    ["-", "- "],
    ["?", "? "],
  ])("nesting by %s is refused early", (_what, text) => {
    expect(read(`a:\n  ${text.repeat(100_000)}`)).toEqual([problem("nest it less deeply")]);
  });
});
