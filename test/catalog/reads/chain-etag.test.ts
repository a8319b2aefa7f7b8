import { equals, type JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ChainSchema } from "../../../gen/wasmext/v1/chain_pb.ts";
import { resolveChain } from "../../../src/catalog/reads/chain.ts";
import { createAcme, ext, redSecurity } from "../../support/acme.ts";

const all = { mode: 0, port: 0 } as const;
const anyConfig = fc.constantFrom<JsonObject[]>(
  {},
  { a: 1 },
  { a: "1" },
  { a: { b: null } },
  { a: [] },
);

const anyBody = fc.record(
  {
    phase: fc.constantFrom(0 as const, 2 as const),
    priority: fc.constantFrom(0, 1),
    url: fc.constantFrom("oci://x:1", "oci://x:latest"),
    imagePullSecret: fc.constantFrom("", "s"),
    imagePullPolicy: fc.constantFrom(0 as const, 2 as const),
    match: fc.constantFrom({ mode: 0 as const }, { mode: 1 as const }),
    config: anyConfig,
    vmConfig: fc.record({
      env: fc.array(fc.constantFrom({ name: "A", value: "x" }, { name: "A", value: "y" }), {
        maxLength: 1,
      }),
    }),
    description: fc.constantFrom("", "says nothing of what runs"),
  },
  { requiredKeys: ["url"] },
);

const anyAttachment = fc.record({ config: anyConfig }, { requiredKeys: [] });

test("chains have the same etag if, and only if, the same runs", async () => {
  const anyState = fc.tuple(anyBody, anyAttachment);
  await fc.assert(
    fc.asyncProperty(anyState, anyState, async (one, another) => {
      const catalog = createAcme();
      const chains = [];
      for (const [body, attachment] of [one, another, one]) {
        await catalog.put("a", body);
        await catalog.attach(redSecurity, [{ ...attachment, fqn: ext("a") }]);
        chains.push(resolveChain(catalog.reader.state, redSecurity, all));
      }
      const [a, b, c] = chains.map((chain) => ({ ...chain, etag: "", revision: 0n }));
      const [etagA, etagB, etagC] = chains.map(({ etag }) => etag);
      expect(etagA === etagB).toBe(a && b && equals(ChainSchema, a, b));
      expect(a && c && equals(ChainSchema, a, c)).toBe(true);
      expect(etagC).toBe(etagA);
    }),
    { numRuns: 200 },
  );
});
