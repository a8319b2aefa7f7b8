import { describe, expect, test } from "vitest";
import { parseGrantsFile } from "../../src/auth/grants-file.ts";
import { readPage } from "../support/markdown.ts";
import type { Identity } from "../../src/auth/grant-rules.ts";

const bearer = (claims: Record<string, unknown>): Identity => ({ kind: "token", claims });
const holder = (subject: string): Identity => ({ kind: "certificate", subject });
const grants = "    grants:\n      - {resource: organizations/acme, permissions: [READ]}";

function resources(text: string, identity: Identity): string[] {
  return parseGrantsFile("grants.yaml", text)
    .grantsOf(identity)
    .map(({ resource }) => resource);
}

describe("a grants file", () => {
  const text = `
# Who may do what.
rules:
  - claim: groups
    value: [red, crimson]
    grants: &red
      - resource: organizations/acme/tenants/red
        permissions: [READ, WRITE]
  - claim: realm_access.roles
    value: admin
    grants:
      - {resource: organizations, permissions: [READ, CREATE, WRITE, DELETE]}
  - claim: [kubernetes.io, namespace]
    value: mesh
    grants: *red
  - claim: https://acme.com/roles
    value: reader
    grants:
      - {resource: organizations/acme/extensions/x, permissions: [READ]}
  - certificate: ["CN=ci, O=Acme\\\\, Inc, C=US", "spiffe://cluster.local/ns/mesh/sa/ci"]
    grants:
      - {resource: organizations/acme, permissions: [READ]}
`;

  test.each<[Identity, string[]]>([
    [bearer({ groups: ["other", "red"] }), ["organizations/acme/tenants/red"]],
    [bearer({ groups: "crimson" }), ["organizations/acme/tenants/red"]],
    [bearer({ groups: ["Red"] }), []],
    [bearer({ groups: [["red"]] }), []],
    [bearer({ groups: { red: true } }), []],
    [bearer({ realm_access: { roles: ["admin"] } }), ["organizations"]],
    [bearer({ "realm_access.roles": ["admin"] }), []],
    [bearer({ realm_access: "admin" }), []],
    [bearer({ "kubernetes.io": { namespace: "mesh" } }), ["organizations/acme/tenants/red"]],
    [bearer({ "https://acme.com/roles": ["reader"] }), ["organizations/acme/extensions/x"]],
    [bearer({ sub: "CN=ci,O=Acme\\, Inc,C=US" }), []],
    [holder("CN=ci,O=Acme\\, Inc,C=US"), ["organizations/acme"]],
    [holder("spiffe://cluster.local/ns/mesh/sa/ci"), ["organizations/acme"]],
    [holder("red"), []],
    [bearer({}), []],
  ])("gives %j the grants on %j", (identity, expected) => {
    expect(resources(text, identity)).toEqual(expected);
  });

  test("may be JSON", () => {
    const rule = {
      claim: "sub",
      value: "alice",
      grants: [{ resource: "organizations/a", permissions: ["READ"] }],
    };
    const json = JSON.stringify({ rules: [rule] }, null, 2);
    expect(resources(json, bearer({ sub: "alice" }))).toEqual(["organizations/a"]);
  });

  test("may be the one of docs/server.md", () => {
    const [block = ""] = /^ {4}rules:\n(?: {4}.*\n)+/m.exec(readPage("docs/server.md")) ?? [];
    const text = block.replaceAll(/^ {4}/gm, "");
    expect(resources(text, bearer({ groups: "mesh-admins" }))).toEqual(["organizations/acme"]);
    expect(resources(text, holder("CN=ci,O=Acme"))).toEqual(["organizations/acme"]);
    const sub = "system:serviceaccount:mesh:deployer";
    expect(resources(text, bearer({ sub }))).toEqual(["organizations/acme/tenants/red"]);
  });

  test("may have no rules", () => {
    expect(resources("rules: []", bearer({ sub: "alice" }))).toEqual([]);
  });

  test("does not find what all objects have", () => {
    const claim = `rules:\n  - claim: constructor.name\n    value: Object\n${grants}`;
    expect(resources(claim, bearer({}))).toEqual([]);
  });
});

test.each([
  ["", 1, "the file is not a mapping of rules"],
  ["[]", 1, "the file is not a mapping of rules"],
  ["rule: []", 1, '"rule" is not known in the file'],
  ["rules:", 1, "rules is not a list"],
  ["rules: {}", 1, "rules is not a list"],
  ["rules:\n  - claim: sub", 2, "a rule has either claim and value, or certificate"],
  [`rules:\n  - claim: sub\n    certificate: x\n${grants}`, 2, "either claim and value"],
  [`rules:\n  - claim: sub\n    value: 7\n${grants}`, 3, "write numbers in quotes"],
  [`rules:\n  - claim: sub\n    value:\n${grants}`, 3, "value is not a string"],
  [`rules:\n  - claim: sub\n    value: []\n${grants}`, 3, "value is an empty list"],
  [`rules:\n  - claim: sub\n    vale: x\n${grants}`, 3, '"vale" is not known in a rule'],
  ["rules:\n  - claim: sub\n    value: x", 2, "grants is not a list"],
  [
    "rules:\n  - claim: sub\n    value: x\n    grants:\n      - resource: organisations/acme\n        permissions: [READ]",
    5,
    '"organisations/acme" is not a resource',
  ],
  [
    "rules:\n  - claim: sub\n    value: x\n    grants:\n      - resource: organizations/acme\n        permissions: [READ, RAED]",
    6,
    "a permission is one of READ, CREATE, WRITE, DELETE",
  ],
  [
    "rules:\n  - claim: sub\n    value: x\n    grants:\n      - resource: organizations/acme\n        permissions: []",
    5,
    "permissions is an empty list",
  ],
  [
    "rules:\n  - claim: sub\n    value: x\n    grants:\n      - resource: organizations/acme\n        permissions: READ",
    6,
    "permissions is not a list",
  ],
  [`rules:\n  - claim: sub\n    claim: iss\n    value: x\n${grants}`, 3, "unique"],
  [`rules:\n  - claim: !!omap sub\n    value: x\n${grants}`, 2, "tag"],
  [`rules:\n  - claim: [sub\n    value: x\n${grants}`, 3, ""],
  ["rules: []\n---\nrules: []", 2, "document"],
  [`rules:\n  - claim: sub\n    value: *x\n${grants}`, 3, "no anchor"],
  ["rules: []\n#".padEnd(300_000, "x"), undefined, "256 KiB"],
])("%j is refused in line %j: %s", (text, line, problem) => {
  const parse = (): unknown => parseGrantsFile("grants.yaml", text);
  expect(parse).toThrow(problem);
  expect(parse).toThrow(line === undefined ? "grants.yaml: " : `grants.yaml:${line}: `);
  expect(parse).toThrow(/^[^\n]*$/);
});

test.each([
  ["grants", "value: x", "[{resource: organizations, permissions: [READ]}]", 2003],
  ["value", "grants: []", "[a, b, c]", 2503],
])("aliases of %s cost no more than a bound", (key, rest, list, line) => {
  const rule = (text: string): string => `  - {claim: c, ${rest}, ${key}: ${text}}\n`;
  const text = `rules:\n${rule(`&l ${list}`)}${rule("*l").repeat(5_000)}`;
  const begunAt = performance.now();
  expect(() => parseGrantsFile("grants.yaml", text)).toThrow(`grants.yaml:${line}: aliases`);
  // Looking through the file for each of them took half a minute.
  expect(performance.now() - begunAt).toBeLessThan(5_000);
});

const inline = "grants: [{resource: organizations, permissions: [READ]}]";

test("a file of many keys costs no more than a file of many rules", () => {
  const text = Array.from({ length: 25_000 }, (_, index) => `key${index}:\n`).join("");
  const begunAt = performance.now();
  expect(() => parseGrantsFile("grants.yaml", text)).toThrow('grants.yaml:1: "key0" is not known');
  // Comparing each of them with all others took more than four seconds.
  expect(performance.now() - begunAt).toBeLessThan(3_000);
});

test("an alias stands for the latest value that has its anchor", () => {
  const rule = (value: string): string => `  - {claim: c, value: ${value}, ${inline}}\n`;
  const text = `rules:\n${rule("&v a")}${rule("&v b")}  - {claim: d, value: *v, ${inline}}\n`;
  const parsed = parseGrantsFile("grants.yaml", text);
  expect(parsed.grantsOf(bearer({ d: "a" }))).toHaveLength(0);
  expect(parsed.grantsOf(bearer({ d: "b" }))).toHaveLength(1);
});

test("long lists of values and grants cost no more than they hold", () => {
  const values = Array.from({ length: 10_000 }, (_, index) => `v${index}`);
  const listed = Array.from({ length: 2_000 }, (_, index) => ({
    resource: `organizations/o${index}`,
    permissions: ["READ"],
  }));
  const rules = [{ claim: "groups", value: values, grants: listed }];
  const parsed = parseGrantsFile("grants.yaml", JSON.stringify({ rules }));
  // 10,000 copies of the list would not fit into memory.
  expect(parsed.grantsOf(bearer({ groups: values }))).toHaveLength(listed.length);
});
