import { expect, test } from "vitest";
import { may, permissions, type Principal } from "../../src/catalog/access/principal.ts";
import { findVisible } from "../../src/catalog/access/viewer.ts";
import { readExtension } from "../../src/catalog/reads/extension-reads.ts";
import { acme, createAcme, ext, url } from "../support/acme.ts";

const tenants = Array.from({ length: 3_000 }, (_, index) => `${acme}/tenants/t${index}`);
const others = Array.from({ length: 6_000 }, (_, index) => `${acme}/tenants/u${index}`);

function reads(...resources: string[]): Principal {
  return {
    name: "many",
    grants: resources.map((resource) => ({ resource, permissions: ["READ"] })),
    expiresAt: Infinity,
    subscribe: () => () => undefined,
  };
}

test("a grant covers its resource and what is below it, and no other", () => {
  const caller = { grants: [{ resource: `${acme}/tenants/red`, permissions: ["READ"] as const }] };
  expect(may(caller, "READ", `${acme}/tenants/red`)).toBe(true);
  expect(may(caller, "READ", `${acme}/tenants/red/workspaces/w/securitygroups/s`)).toBe(true);
  expect(may(caller, "WRITE", `${acme}/tenants/red`)).toBe(false);
  for (const fqn of ["", "/", acme, `${acme}/tenants`, `${acme}/tenants/redder`, "organizations"]) {
    expect(may(caller, "READ", fqn)).toBe(false);
  }
  const everyone = { grants: [{ resource: "organizations", permissions }] };
  expect(may(everyone, "DELETE", acme)).toBe(true);
});

test("grants on thousands of tenants do not make a read of long lists slow", async () => {
  const { extensions, reader } = createAcme();
  const wasmExtension = { url, allowedIn: [...others, ...tenants] };
  await extensions.createWasmExtension({ parent: acme, name: "wide", wasmExtension });
  const caller = reads(...tenants);

  const begunAt = performance.now();
  for (let count = 0; count < 10; count++) {
    const { message } = readExtension(reader.state, caller, ext("wide"));
    expect(message.allowedIn).toEqual(tenants);
  }
  // Looking each tenant of one list up in the other took more than a second for each.
  expect(performance.now() - begunAt).toBeLessThan(3_000);
});

test("an extension is visible to who may read one of its tenants, however many there are", async () => {
  const { extensions, reader } = createAcme();
  const create = (name: string, allowedIn: string[]) =>
    extensions.createWasmExtension({ parent: acme, name, wasmExtension: { url, allowedIn } });
  await create("some", [others[0] ?? "", tenants[2_999] ?? ""]);
  await create("none", others.slice(0, 2));
  await create("all", []);
  for (const caller of [reads(...tenants), reads(tenants[2_999] ?? "")]) {
    expect(findVisible(reader.state, caller, ext("some"))).toBeDefined();
    expect(findVisible(reader.state, caller, ext("all"))).toBeDefined();
    expect(findVisible(reader.state, caller, ext("none"))).toBeUndefined();
  }
  const below = reads(...tenants.map((tenant) => `${tenant}/workspaces/w`));
  expect(findVisible(reader.state, below, ext("all"))).toBeUndefined();
});
