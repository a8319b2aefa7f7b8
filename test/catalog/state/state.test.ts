import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmExtensionSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { extensionsOf } from "../../../src/catalog/reads/extension-reads.ts";
import type { Change } from "../../../src/catalog/state/commit.ts";
import { isInScope } from "../../../src/catalog/state/scope.ts";
import {
  apply,
  emptyState,
  findExtension,
  isListed,
  type State,
} from "../../../src/catalog/state/state.ts";
import { storedOf } from "../../../src/catalog/state/stored.ts";
import { belongsTo, fqnOf, inOrder, type ModelExtension } from "../../support/model.ts";

const organization = "organizations/acme";
const scopes = [organization, `${organization}/tenants/a`, `${organization}/tenants/b`];

/** So many names that the trees of a state have several levels. */
const anyExtension: fc.Arbitrary<ModelExtension> = fc.record({
  organization: fc.constant(organization),
  name: fc.nat(1_500).map((number) => `e${number}`),
  phase: fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const),
  priority: fc.integer({ min: -3, max: 3 }),
  allowedIn: fc.subarray(scopes.slice(1)),
});

function changeOf(extension: ModelExtension, isDelete: boolean): Change {
  const fqn = fqnOf(extension);
  const { phase, priority, allowedIn } = extension;
  return isDelete
    ? { kind: "delete-extension", fqn }
    : {
        kind: "put-extension",
        fqn,
        extension: storedOf(
          WasmExtensionSchema,
          create(WasmExtensionSchema, { fqn, phase, priority, allowedIn: [...allowedIn] }),
        ),
      };
}

test("a state stays as it was, whatever is committed after it", () => {
  const anyCommit = fc.array(fc.tuple(anyExtension, fc.boolean()), {
    minLength: 150,
    maxLength: 200,
  });
  fc.assert(
    fc.property(fc.array(anyCommit, { minLength: 8, maxLength: 12 }), (commits) => {
      const kept: [State, ModelExtension[]][] = [];
      const model = new Map<string, ModelExtension>();
      let state = emptyState();
      for (const [index, commit] of commits.entries()) {
        const changes = commit.map(([extension, isDelete]) => {
          if (isDelete) {
            model.delete(fqnOf(extension));
          } else {
            model.set(fqnOf(extension), extension);
          }
          return changeOf(extension, isDelete);
        });
        state = apply(state, { revision: BigInt(index + 1), organization, changes });
        kept.push([state, [...model.values()]]);
      }
      for (const [past, extensions] of kept) {
        for (const scope of scopes) {
          const expected = extensions.filter((each) => belongsTo(scope, each));
          const fqns = [...extensionsOf(past, scope)].map(({ message }) => message.fqn);
          expect(fqns).toEqual(inOrder(expected));
        }
      }
    }),
    { numRuns: 15 },
  );
});

test("what a state looks up of who may use an extension is what the rule says", () => {
  const tenants = [
    ...scopes.slice(1),
    `${organization}/tenants/c`,
    "organizations/other/tenants/a",
  ];
  const anyWrite = fc.tuple(anyExtension, fc.boolean());
  fc.assert(
    fc.property(fc.array(anyWrite, { maxLength: 60 }), (writes) => {
      let state = emptyState();
      for (const [extension, isDelete] of writes) {
        const changes = [
          changeOf(extension, isDelete && findExtension(state, fqnOf(extension)) !== undefined),
        ];
        state = apply(state, { revision: state.revision + 1n, organization, changes });
      }
      for (const extension of extensionsOf(state, organization)) {
        for (const tenant of tenants) {
          expect(isListed(state, tenant, extension.message)).toBe(
            isInScope(tenant, extension.message),
          );
        }
      }
    }),
  );
});
