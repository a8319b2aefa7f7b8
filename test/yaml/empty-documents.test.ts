import { expect, test } from "vitest";
import { maxEmptyDocuments } from "../../src/yaml/document.ts";
import { readObjects } from "../../src/yaml/read.ts";

const object = `apiVersion: extension.tsb.tetrate.io/v2
kind: WasmExtension
metadata: {organization: acme, name: NAME}
spec: {url: oci://x}
`;
const first = object.replace("NAME", "first");
const last = object.replace("NAME", "last");

test.each([
  ["separators", "---\n", 5],
  ["nulls", "--- ~\n", 5],
  ["comments", "---\n# nothing\n", 5],
  ["empty files with byte order marks", "\n\ufeff", 6],
])("empty documents without end are refused at the first: %s", (_what, text, line) => {
  const { diagnostics, objects } = readObjects(
    "f.yaml",
    `${first}${text.repeat(3 * maxEmptyDocuments)}---\n${last}`,
  );
  expect(objects.map(({ fqn }) => fqn)).toEqual(["organizations/acme/extensions/first"]);
  expect(diagnostics).toMatchObject([
    { file: "f.yaml", line, message: expect.stringContaining("empty documents") as string },
  ]);
});

test("some empty documents between others are left out", () => {
  const text = `${first}${"---\n".repeat(1_000)}${last}`;
  const { diagnostics, objects } = readObjects("f.yaml", text);
  expect(diagnostics).toEqual([]);
  expect(objects).toHaveLength(2);
});
