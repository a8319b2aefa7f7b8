import fc from "fast-check";
import { expect, test } from "vitest";
import { acme, blue, createAcme, ext, red } from "../../support/acme.ts";
import { storedExtensions, storedSets } from "../../support/stored.ts";

const green = `${acme}/tenants/green`;
const tenants = [red, blue, green];
const targetOf = (tenant: string): string => `${tenant}/workspaces/w/securitygroups/s`;
// Entries that are no tenant of the organization open nothing.
const others = [acme, "x", "organizations/other/tenants/red"];
const anyAllowedIn = fc.oneof(
  fc.constant<string[]>([]),
  fc.subarray([...tenants, ...others], { minLength: 1 }),
);
const mayUse = (tenant: string, allowedIn: readonly string[]): boolean =>
  allowedIn.length === 0 || allowedIn.includes(tenant);

test("an update removes the attachments of tenants that lose the extension, and no others", async () => {
  await fc.assert(
    fc.asyncProperty(anyAllowedIn, anyAllowedIn, async (before, after) => {
      const catalog = createAcme();
      await catalog.put("a", { allowedIn: before });
      await catalog.put("b");
      const attaching = tenants.filter((tenant) => mayUse(tenant, before));
      for (const tenant of attaching) {
        const extension = ["b", "a", "b", "a"].map((name) => ({ fqn: ext(name) }));
        await catalog.attach(targetOf(tenant), extension);
      }
      const sets = storedSets(catalog.reader);
      await catalog.put("a", { allowedIn: after });
      expect(storedExtensions(catalog.reader).get(ext("a"))?.allowedIn).toEqual(after);
      for (const tenant of attaching) {
        const set = storedSets(catalog.reader).get(targetOf(tenant));
        if (mayUse(tenant, after)) {
          expect(set).toBe(sets.get(targetOf(tenant)));
        } else {
          expect(set?.extension.map(({ fqn }) => fqn)).toEqual([ext("b"), ext("b")]);
        }
      }
    }),
  );
});
