import fc from "fast-check";
import { expect, test } from "vitest";
import { isInScope, usableUnder } from "../../../src/catalog/state/scope.ts";
import { anyExtension, belongsTo, fqnOf, tenants } from "../../support/model.ts";

test("a tenant may use what is found under its name or its organization's, and nothing else", () => {
  fc.assert(
    fc.property(anyExtension, fc.constantFrom(...tenants), (extension, tenant) => {
      const { organization, allowedIn } = extension;
      const usability = { fqn: fqnOf(extension), allowedIn: [...allowedIn] };
      const isUsable = belongsTo(tenant, extension);
      expect(isInScope(tenant, usability)).toBe(isUsable);
      const lists = usableUnder(usability);
      const isOfOrganization = tenant.startsWith(`${organization}/`);
      expect(lists.has(tenant) || (isOfOrganization && lists.has(organization))).toBe(isUsable);
    }),
  );
});
