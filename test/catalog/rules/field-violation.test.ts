import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { excerpt } from "../../../src/catalog/names/excerpt.ts";

describe("an excerpt of a value in an error", () => {
  test.each([
    ["plain", '"plain"'],
    ["https://user:secret@h/x", '"https://…@h/x"'],
    ["ftp://secret@h", '"ftp://…@h"'],
    ["oci://user:se@cret@ghcr.io/a", '"oci://…@ghcr.io/a"'],
    ["oci://https://user:secret@h/x", '"oci://https://…@h/x"'],
    [`https://u:${"s".repeat(200)}@h/x`, '"https://…@h/x"'],
    ["https://h/a@b", '"https://h/a@b"'],
    ["https://h/x?a@b", '"https://h/x?a@b"'],
    ["oci://nginx@sha256:abc", '"oci://nginx@sha256:abc"'],
    ["a\u0085b\u200b\u202e\ufeff\uffff\n", '"a\\u0085b\\u200b\\u202e\\ufeff\\uffff\\n"'],
    ["\ud800", '"\ufffd"'],
  ])("%j is shown as %s", (value, shown) => {
    expect(excerpt(value)).toBe(shown);
  });

  test("is short, on one line, and JSON", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (value) => {
        const shown = excerpt(value);
        expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
        expect((JSON.parse(shown) as string).length).toBeLessThanOrEqual(81);
      }),
    );
  });
});
