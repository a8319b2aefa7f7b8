import fc from "fast-check";
import { expect, test } from "vitest";
import { changesByTenant, seenBy } from "../../../src/catalog/watch/view.ts";
import { acme, blue, createAcme, ext, red } from "../../support/acme.ts";

const scopes = [acme, red, blue, `${acme}/tenants/re`, `${acme}/tenants/red-2`];
const anyTarget = fc
  .tuple(fc.constantFrom(...scopes.slice(1)), fc.nat(9))
  .map(([tenant, index]) => `${tenant}/workspaces/w/securitygroups/s${index}`);
const allowedInAny = fc.oneof(
  fc.constant<string[]>([]),
  fc.subarray(scopes.slice(1), { minLength: 1 }),
);

test("a scope sees the same of a large commit, whether all of it is looked at or its own part", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(anyTarget, { maxLength: 30 }),
      allowedInAny,
      allowedInAny,
      async (targets, before, after) => {
        const catalog = createAcme();
        await catalog.put("a", { allowedIn: before });
        for (const target of targets) {
          await catalog.attach(target, [{ fqn: ext("a") }]).catch(() => undefined);
        }
        await catalog.put("a", { allowedIn: after });
        await catalog.remove("a");
        const { history, state } = catalog.reader;
        for (let revision = 1n; revision <= state.revision; revision++) {
          const entry = history.first(acme, revision);
          if (entry === undefined) {
            throw new Error(`no commit ${revision}`);
          }
          for (const scope of scopes) {
            expect(seenBy(entry, scope, changesByTenant(entry))).toEqual(seenBy(entry, scope));
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});
