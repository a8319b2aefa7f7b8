/*
 * A proxy that behaves as Envoy does, against whole sessions: random commits, plugins that are refused, modules
 * that are not to be had, and connections that are lost at any moment.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { AnySchema, anyUnpack, StringValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { TypedExtensionConfigSchema } from "../../gen/envoy/config/core/v3/extension_pb.ts";
import { FilterChainConfigSchema } from "../../gen/envoy/extensions/filters/http/filter_chain/v3/filter_chain_pb.ts";
import { WasmSchema } from "../../gen/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { LinkState } from "../../gen/wasmext/v1/proxy_pb.ts";
import { anyone } from "../../src/catalog/access/principal.ts";
import { statusOf } from "../../src/xds/rollup.ts";
import type { ProxySession, SlotAnswer } from "../../src/xds/session.ts";
import { proxyOf } from "../../src/xds/status.ts";
import { acme, createAcme, ext, redIngress } from "../support/acme.ts";
import { createFakeModules } from "../support/fake-modules.ts";
import { proxiesOf } from "../support/proxies.ts";

/** A plugin by its name, and its configuration; `deny` for what stands in its place. */
type Ran = readonly [name: string, config: string];

/** A slot of a proxy. */
interface ModelSlot {
  /** The bytes that came last, whether they were good or not. */
  received: string;
  version: string | undefined;
  runs: readonly Ran[] | undefined;
}

function contentOf({ resource }: SlotAnswer): { entries: string; filters: Ran[] } {
  const bytes = Buffer.concat(resource);
  const any = fromBinary(AnySchema, bytes);
  const config = anyUnpack(any, TypedExtensionConfigSchema)?.typedConfig;
  const chain = config && anyUnpack(config, FilterChainConfigSchema);
  const filters = chain?.defaultFilterChain?.filters ?? [];
  return {
    entries: bytes.toString("base64"),
    filters: filters.map(({ name, typedConfig }): Ran => {
      const plugin = (typedConfig && anyUnpack(typedConfig, WasmSchema))?.config;
      const text = plugin?.configuration && anyUnpack(plugin.configuration, StringValueSchema);
      const key = name.slice(0, name.lastIndexOf("@"));
      return plugin === undefined ? [key, "deny"] : [plugin.name, text?.value ?? ""];
    }),
  };
}

/** Why the proxy refuses filters; undefined if it takes them. */
function refusalOf(filters: readonly Ran[], isNamed: boolean): string | undefined {
  const bad = filters.find(([, config]) => config.includes("bad"));
  return bad && (isNamed ? `Unable to create Wasm plugin ${bad[0]}` : "something is wrong");
}

/** Takes an answer as Envoy does; returns why it is refused. */
function take(slot: ModelSlot, answer: SlotAnswer, isNamed: boolean): string | undefined {
  const { entries, filters } = contentOf(answer);
  const isSame = entries === slot.received;
  slot.received = entries;
  const refusal = isSame ? undefined : refusalOf(filters, isNamed);
  if (refusal === undefined) {
    slot.version = answer.version;
    slot.runs = isSame ? slot.runs : filters;
  }
  return refusal;
}

const names = ["a", "b", "c", "d"];
const phaseOf = (name: string): Phase => (name < "c" ? Phase.AUTHN : Phase.STATS);
const slotNames = ["authn", "stats"].map((phase) => `wasmext/${phase}/gateway/${redIngress}`);

const anyWanted = fc.constantFrom("good 1", "good 2", "bad 1", "bad 2", "missing", "absent");
const anyStep = fc.record({
  wanted: fc.tuple(anyWanted, anyWanted, anyWanted, anyWanted),
  isNamed: fc.boolean(),
  /** After how many answers the connection is lost; whether the last one has been answered by then. */
  lost: fc.option(fc.record({ after: fc.nat(3), isSettled: fc.boolean() }), { freq: 2 }),
});

test("what a proxy runs is what the server says that it runs, and what it should, wherever connections are lost", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 8 }), async (steps) => {
      const catalog = createAcme();
      const modules = createFakeModules();
      const proxies = proxiesOf(catalog.reader, modules);
      const problem = { reason: "NOT_FOUND", message: "it is not there" } as const;
      modules.set("oci://x/missing:1", { kind: "failed", problem });
      const slots = new Map<string, ModelSlot>(
        slotNames.map((name) => [name, { received: "", version: undefined, runs: undefined }]),
      );
      const slotOf = (name: string): ModelSlot => {
        const slot = slots.get(name);
        if (slot === undefined) {
          throw new Error(`${name} is no slot of the proxy`);
        }
        return slot;
      };
      let session: ProxySession | undefined;
      const connect = (): ProxySession => {
        const next = proxies.connect(anyone);
        next.greet(undefined);
        for (const [name, { version }] of slots) {
          next.subscribe(name, version);
        }
        // `next` then tells when nothing is due.
        next.finish();
        session = next;
        return next;
      };
      const disconnect = (): void => {
        if (session !== undefined) {
          proxies.disconnect(session);
        }
      };
      connect();
      for (const { wanted, isNamed, lost } of steps) {
        const before = new Map([...slots].map(([name, { runs }]) => [name, runs]));
        for (const [index, name] of names.entries()) {
          const what = wanted[index] ?? "absent";
          const phase = phaseOf(name);
          await catalog.put(name, {
            phase,
            ...(what === "missing" ? { url: "oci://x/missing:1" } : { config: { what } }),
          });
        }
        const attached = names.filter((_, index) => wanted[index] !== "absent");
        await catalog.attach(
          redIngress,
          attached.map((name) => ({ fqn: ext(name) })),
        );

        let current = session ?? connect();
        for (let count = 0; ; count++) {
          const answer = await current.next();
          if (answer === undefined) {
            break;
          }
          expect(count, "the server goes on for ever").toBeLessThan(60);
          const refusal = take(slotOf(answer.name), answer, isNamed);
          const isLost = lost?.after === count;
          if (!isLost || lost.isSettled) {
            current.settle(answer.nonce, refusal);
          }
          if (isLost) {
            disconnect();
            current = connect();
          }
        }

        for (const [phase, slotName] of [
          [Phase.AUTHN, slotNames[0] ?? ""],
          [Phase.STATS, slotNames[1] ?? ""],
        ] as const) {
          const ranBefore = new Map(before.get(slotName));
          const expected = attached
            .filter((name) => phaseOf(name) === phase)
            .flatMap((name): Ran[] => {
              const what = wanted[names.indexOf(name)] ?? "absent";
              const key = ext(name);
              if (what.startsWith("good")) {
                return [[key, JSON.stringify({ what })]];
              }
              const last = ranBefore.get(key);
              if (last !== undefined && last !== "deny") {
                return [[key, last]];
              }
              return phase === Phase.AUTHN ? [[key, "deny"]] : [];
            });
          expect(slotOf(slotName).runs).toEqual(expected);
        }
        const links = proxyOf(current, acme)?.slots.flatMap((slot) => slot.links) ?? [];
        for (const { fqn, state } of links) {
          const what = wanted[names.findIndex((name) => ext(name) === fqn)] ?? "";
          expect([fqn, state === LinkState.APPLIED]).toEqual([fqn, what.startsWith("good")]);
        }
        const isWhole = attached.every((_, index) => links[index]?.state === LinkState.APPLIED);
        const status = statusOf(proxies, catalog.reader.state, anyone, redIngress);
        expect(status.running === 1).toBe(isWhole && attached.length > 0);
      }
      disconnect();
      expect(modules.followers).toBe(0);
      expect(catalog.reader.chainNotifier.size).toBe(0);
    }),
    { numRuns: 150 },
  );
});
