import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ResolveChainResponseSchema,
  WatchChainResponseSchema,
} from "../../../gen/wasmext/v1/chain_service_pb.ts";
import { watchChain } from "../../../src/catalog/watch/chain-watch.ts";
import { createLatestChain } from "../../../src/catalog/watch/latest-chain.ts";
import { createAcme, ext, redSecurity } from "../../support/acme.ts";

const all = { mode: 0, port: 0 } as const;

test("many watchers of a chain are sent the same bytes, encoded once for each change", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redSecurity, [{ fqn: ext("a") }]);
  const watches = Array.from({ length: 50 }, () => watchChain(catalog.reader, redSecurity, all));
  const sent: Uint8Array[] = [];
  for (const priority of [1, 2]) {
    const reads = watches.map((watch) => {
      const read = watch.read(() => false);
      return read === "more" ? watch.read(() => false) : read;
    });
    const bytes = new Set(
      reads.map((read) => (typeof read === "string" ? expect.fail(read) : read.bytes)),
    );
    expect(bytes.size).toBe(1);
    sent.push(...bytes);
    await catalog.put("a", { priority });
  }
  const priorities = sent.map((bytes) => {
    const { chain } = fromBinary(WatchChainResponseSchema, bytes);
    return chain?.links.map((link) => link.priority);
  });
  expect(priorities).toEqual([[0], [1]]);
});

test("a chain is resolved again for another state, and for other traffic", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redSecurity, [{ fqn: ext("a") }]);
  const latest = createLatestChain();
  const before = catalog.reader.state;
  const first = latest.resolve(before, redSecurity, all);
  expect(latest.resolve(before, redSecurity, all)).toBe(first);
  expect(latest.resolve(before, redSecurity, { ...all, port: 80 })).not.toBe(first);
  await catalog.put("a", { priority: 1 });
  const after = latest.resolve(catalog.reader.state, redSecurity, all);
  expect(after.chain.links[0]?.priority).toBe(1);
});

test("the bytes of a chain are those of the message, whatever its links are made of", async () => {
  const anyConfig = fc.option(fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue()), {
    nil: undefined,
  });
  const anyVm = fc.option(
    fc.array(fc.record({ name: fc.constant("A"), value: fc.string() }), { maxLength: 1 }),
    {
      nil: undefined,
    },
  );
  const anyAttachment = fc.record({ name: fc.constantFrom("a", "b", "c"), config: anyConfig });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(anyConfig, anyVm), { minLength: 3, maxLength: 3 }),
      fc.array(anyAttachment, { maxLength: 5 }),
      fc.constantFrom(0, 80),
      async (extensions, attachments, port) => {
        const { put, attach, reader } = createAcme();
        for (const [index, [config, vmConfig]] of extensions.entries()) {
          const name = "abc"[index] ?? "";
          await put(name, {
            priority: -index,
            ...(config && { config: config as JsonObject }),
            ...(vmConfig && { vmConfig: { env: vmConfig } }),
          });
        }
        await attach(
          redSecurity,
          attachments.map(({ name, config }) => ({
            fqn: ext(name),
            match: [{ ports: [{ number: 80 + "abc".indexOf(name) }] }],
            ...(config && { config: config as JsonObject }),
          })),
        );
        const { chain, bytes } = createLatestChain().resolve(reader.state, redSecurity, {
          mode: 0,
          port,
        });
        expect(fromBinary(WatchChainResponseSchema, bytes).chain).toEqual(chain);
        // ResolveChain answers with the same bytes.
        expect(fromBinary(ResolveChainResponseSchema, bytes).chain).toEqual(chain);
      },
    ),
  );
});
