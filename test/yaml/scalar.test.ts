import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { parseYaml } from "../../src/yaml/document.ts";

/** What a text without quotes is read as, as a value and as a key; a string says why it is refused. */
function read(text: string): { value: unknown } | string {
  const [item] = parseYaml("f", `v: ${text}\n`);
  return item?.kind === "document"
    ? { value: (item.document.value as { v: unknown }).v }
    : (item?.diagnostic.message ?? "nothing");
}

describe("a scalar without quotes", () => {
  test.each([
    ["text", "text"],
    ["1", 1],
    ["-7", -7],
    ["+5", 5],
    ["0x1F", 31],
    ["1.5", 1.5],
    [".5", 0.5],
    ["1.", 1],
    ["1.5e+3", 1500],
    ["-2.0E-2", -0.02],
    ["true", true],
    ["True", true],
    ["FALSE", false],
    ["null", null],
    ["~", null],
    ["", null],
    ["1.2.3", "1.2.3"],
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["100m", "100m"],
    ["5s", "5s"],
    ["2024-05", "2024-05"],
    ["99:99", "99:99"],
    ["-foo", "-foo"],
    ["_1", "_1"],
    ["yesterday", "yesterday"],
    ["9007199254740992", 9007199254740992],
    ["9007199254740993000", 9007199254740993000],
    ["1152921504606847200", 1152921504606847200],
    ["1000000000000000000000", 1e21],
  ])("%j means the same to every reader", (text, value) => {
    expect(read(text)).toEqual({ value });
  });

  const cases: readonly (readonly [reason: string, texts: readonly string[]])[] = [
    ["boolean", ["yes", "Yes", "NO", "on", "Off", "y", "N"]],
    ["a number in YAML 1.1", ["1_000", "0b11", "-0x10", "0X1F", "0_8", "0b+1"]],
    ["a number in YAML 1.1", ["1:30", "0:00", "190:20:30", "1:30.5"]],
    ["without a leading zero", ["0755", "-012", "08", "0o17", "007"]],
    ["1.0e+3", ["1e3", "1.5e3", "1E-7", "-.5", "1e400"]],
    ["a time in YAML 1.1", ["2024-05-01", "2024-5-1", "2001-12-14 21:59:43"]],
    ["a time in YAML 1.1", ["2001-12-14t21:59:43.10-05:00"]],
    ["a meaning of its own", ["="]],
    ["merges", ["<<"]],
    ["is not a JSON number", [".inf", "-.INF", ".NaN", `1${"0".repeat(400)}.0`]],
    ["is too precise for a JSON number", ["1152921504606847232", "9007199254740993"]],
    ["is too precise for a JSON number", ["-9007199254740993", "0x20000000000001"]],
  ];

  test.each(cases.flatMap(([reason, texts]) => texts.map((text) => [text, reason] as const)))(
    "%j, which readers take for different values, is refused with the remedy",
    (text, reason) => {
      const problem = read(text);
      expect(problem).toContain(reason);
      expect(problem).toContain(`${text} `);
      expect(problem).toContain("put quotes around it");
      expect(read(`"${text}"`)).toEqual({ value: text });
      expect(read(`!!str ${text}`)).toEqual({ value: text });
    },
  );

  test.each(["yes", "n", "0755", "1:30", "=", "1.0", "0x1F", "1e3", "null", "~", "True", "-0"])(
    "%j as a key is refused, and is one in quotes",
    (key) => {
      const [plain] = parseYaml("f", `a:\n  ${key}: 1\n`);
      expect(plain).toMatchObject({ kind: "unreadable", diagnostic: { line: 2, column: 3 } });
      const [quoted] = parseYaml("f", `a:\n  "${key}": 1\n`);
      expect(quoted).toMatchObject({ document: { value: { a: { [key]: 1 } } } });
    },
  );

  test.each(["1", "-5", "8080", "1.5", "true"])("%j as a key is what JSON makes of it", (key) => {
    const [item] = parseYaml("f", `${key}: 1\n`);
    expect(item).toMatchObject({ document: { value: { [key]: 1 } } });
  });

  test("means in YAML 1.1 what it is read as, or is refused", () => {
    const numberLike = fc.array(
      fc.constantFrom(...Array.from("0123456789_-+.:eExobTZ"), "0x", "0o", "2024-", "12", "inf"),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(
        numberLike.map((parts) => parts.join("")),
        (text) => {
          const found = read(text);
          fc.pre(typeof found === "object" && !/^(?:-|\?|0x_*$)/.test(text));
          const [other] = parseAllDocuments(`v: ${text}\n`, { version: "1.1" });
          const { v } = other?.toJS() as { v: unknown };
          // The library takes more for numbers than YAML 1.1 does, and cannot tell which.
          fc.pre(!Number.isNaN(v));
          expect(v).toEqual(typeof found === "object" && found.value);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("a number in JSON", () => {
  test.each([
    ["1e3", 1000],
    ["1E-7", 1e-7],
    ["-0.5", -0.5],
    ["1e21", 1e21],
  ])("%s may be written as JSON writes it", (text, v) => {
    const [item] = parseYaml("f", `{"v": ${text}}`);
    expect(item).toMatchObject({ document: { value: { v } } });
  });

  test("that is not held exactly is refused", () => {
    const [item] = parseYaml("f", '{"v": 1152921504606847232}');
    expect(item).toMatchObject({ diagnostic: { column: 7 } });
  });
});
