import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmExtensionSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { AttachmentSetSchema } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { Change } from "../../../src/catalog/state/commit.ts";
import { sorted } from "../../../src/catalog/state/sorted-map.ts";
import { apply, emptyState, type Organization } from "../../../src/catalog/state/state.ts";
import { stateAfter } from "../../../src/catalog/state/state-after.ts";
import { storedOf } from "../../../src/catalog/state/stored.ts";
import { finished } from "../../../src/catalog/state/turns.ts";
import { anyExtension, fqnOf, organizations, tenants } from "../../support/model.ts";

const anyExtensionChange = fc.tuple(anyExtension, fc.nat(3)).map(([extension, choice]): Change => {
  const fqn = fqnOf(extension);
  const { phase, priority, allowedIn } = extension;
  const message = create(WasmExtensionSchema, { fqn, phase, priority, allowedIn: [...allowedIn] });
  return choice === 0
    ? { kind: "delete-extension", fqn }
    : { kind: "put-extension", fqn, extension: storedOf(WasmExtensionSchema, message) };
});

const anyAttachmentChange = fc
  .record({
    tenant: fc.constantFrom(...tenants),
    name: fc.constantFrom("s", "t"),
    attached: fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 4 }),
    isDelete: fc.boolean(),
  })
  .map(({ tenant, name, attached, isDelete }): Change => {
    const fqn = `${tenant}/workspaces/w/securitygroups/${name}`;
    const organization = tenant.split("/tenants/")[0] ?? "";
    const extension = attached.map((each) => ({ fqn: `${organization}/extensions/${each}` }));
    const message = create(AttachmentSetSchema, { fqn, extension });
    return isDelete
      ? { kind: "delete-attachments", fqn }
      : { kind: "put-attachments", fqn, attachmentSet: storedOf(AttachmentSetSchema, message) };
  });

/** All trees of an organization, as lists. */
const treesOf = (organization: Organization | undefined) =>
  organization && {
    extensions: organization.extensions.toArray(),
    ordered: organization.ordered.toArray().map(([key, { message }]) => [key.fqn, message]),
    usable: organization.usable.toArray().map(([key, { message }]) => [key.list, message]),
    attachmentSets: organization.attachmentSets.toArray(),
    targets: organization.targets.toArray(),
  };

test("a state made as a whole is the one that its changes lead to, and goes on like it", () => {
  const anyChanges = fc.array(fc.oneof(anyExtensionChange, anyAttachmentChange), { maxLength: 80 });
  fc.assert(
    fc.property(anyChanges, anyChanges, (changes, later) => {
      const step = (state: typeof whole, all: readonly Change[]): typeof whole => {
        let next = state;
        for (const change of all) {
          const organization = change.fqn.split("/").slice(0, 2).join("/");
          next = apply(next, { revision: 7n, organization, changes: [change] });
        }
        return next;
      };
      let whole = finished(stateAfter(7n, changes));
      let stepwise = step({ ...emptyState(), revision: 7n }, changes);
      for (const more of [later, []]) {
        expect(whole.revision).toBe(7n);
        expect([...whole.organizations.keys()]).toEqual([...stepwise.organizations.keys()]);
        for (const organization of organizations) {
          expect(treesOf(whole.organizations.get(organization))).toEqual(
            treesOf(stepwise.organizations.get(organization)),
          );
        }
        [whole, stepwise] = [step(whole, more), step(stepwise, more)];
      }
    }),
  );
});

test("sorts as a list sorts itself, stably, whatever its length", () => {
  const anyLength = fc.oneof(fc.constantFrom(0, 1, 999, 1_000, 1_001, 3_000), fc.nat(5_000));
  fc.assert(
    fc.property(anyLength, fc.nat(1_000), (length, modulus) => {
      const items = Array.from({ length }, (_, index) => ({
        key: (index * 7919) % (modulus + 1),
        index,
      }));
      const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
      expect(finished(sorted(items, compare))).toEqual(items.toSorted(compare));
    }),
    { numRuns: 30 },
  );
});
