import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  EnvValueSource,
  WasmExtension_PluginPhase as Phase,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { distinctPriorities } from "../../src/export/istio/distinct-priorities.ts";
import { acme, createAcme, ext, redIngress, redSecurity } from "../support/acme.ts";
import { istioOrder, manifestOf, objections } from "../support/istio.ts";

const { AUTHN, AUTHZ, STATS, UNSPECIFIED_PHASE } = Phase;
const [least, greatest] = [-2147483648, 2147483647];
const names = ["a", "a-1", "a1", "b", "b-b", "bb", "c", "x", "x1", "x10"];

const anyPriority = fc.oneof(
  fc.constantFrom(0, 0, 1, -1, least, least + 1, greatest, greatest - 1),
  fc.integer({ min: least, max: greatest }),
);
const anyExtension = fc.record({
  phase: fc.constantFrom(UNSPECIFIED_PHASE, AUTHN, AUTHZ, STATS),
  priority: anyPriority,
  config: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.constant(null))),
  imagePullSecret: fc.constantFrom("", "pull.secret"),
  url: fc.constantFrom("oci://ghcr.io/a/b", "https://h/x.wasm?y#z", "file:///opt/x.wasm"),
  vmConfig: fc.record({
    env: fc.uniqueArray(
      fc.record({
        name: fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,5}$/),
        value: fc.string({ unit: "binary" }),
        valueFrom: fc.constantFrom(EnvValueSource.INLINE, EnvValueSource.HOST),
      }),
      { selector: ({ name }) => name, maxLength: 3 },
    ),
  }),
});
const anyMatch = fc.array(
  fc.record({
    mode: fc.constantFrom(Mode.UNDEFINED, Mode.CLIENT, Mode.CLIENT_AND_SERVER),
    ports: fc.array(fc.record({ number: fc.constantFrom(1, 80, 65535) }), { maxLength: 3 }),
  }),
  { maxLength: 2 },
);
const anyCatalog = fc.record({
  extensions: fc.tuple(...names.map(() => anyExtension)),
  ingress: fc.array(fc.constantFrom(...names), { maxLength: 30 }),
  security: fc.array(fc.constantFrom(...names), { maxLength: 10 }),
  match: anyMatch,
  ages: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 40, maxLength: 40 }),
});

describe("the order of an export", () => {
  test("is the chain's under Istio's sort, whenever the objects were created", async () => {
    await fc.assert(
      fc.asyncProperty(anyCatalog, async ({ extensions, ingress, security, match, ages }) => {
        const catalog = createAcme();
        for (const [index, name] of names.entries()) {
          await catalog.put(name, extensions[index]);
        }
        const sets = { [redIngress]: ingress, [redSecurity]: security };
        for (const [target, attached] of Object.entries(sets)) {
          const attachments = attached.map((name) => ({ fqn: ext(name), match }));
          await catalog.attach(target, attachments, { namespace: "ns", labels: { app: "x" } });
        }
        const { wasmPlugins } = await catalog.exports.exportIstio({ parent: acme });
        const manifests = wasmPlugins.map(manifestOf);
        expect(manifests.flatMap(objections)).toEqual([]);
        expect(new Set(manifests.map(({ metadata }) => metadata.name)).size).toBe(
          ingress.length + security.length,
        );
        const listed = await catalog.extensions.listWasmExtension({ parent: acme });
        const ranks = new Map(listed.extensions.map(({ fqn }, index) => [fqn, index]));
        const created = manifests.map((manifest, index) => ({
          manifest,
          createdAt: ages[index] ?? 0,
        }));
        const ran = istioOrder(created).map(({ manifest }) => manifest.metadata.annotations);
        // Also between targets that may select the same pods.
        const order = ran.map((annotations) =>
          ranks.get(annotations["wasmext.dev/extension"] ?? ""),
        );
        expect(order).toEqual(order.toSorted((a = 0, b = 0) => a - b));
        for (const target of [redIngress, redSecurity]) {
          const { chain } = await catalog.chains.resolveChain({ target });
          const expected = (chain?.links ?? []).map(({ fqn }) => fqn);
          const here = ran.filter((annotations) => annotations["wasmext.dev/target"] === target);
          expect(here.map((annotations) => annotations["wasmext.dev/extension"])).toEqual(expected);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("keeps attachments of the same extension in the order of the set", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const attachments = [1, 2, 3].map((nth) => ({ fqn: ext("a"), config: { nth } }));
    await catalog.attach(redIngress, attachments, { namespace: "ns" });
    const { wasmPlugins } = await catalog.exports.exportIstio({ parent: redIngress });
    const newestFirst = wasmPlugins.map((plugin, index) => ({
      manifest: manifestOf(plugin),
      createdAt: -index,
    }));
    expect(istioOrder(newestFirst)).toEqual(newestFirst);
    expect(wasmPlugins.map(({ spec }) => spec?.pluginConfig)).toEqual([
      { nth: 1 },
      { nth: 2 },
      { nth: 3 },
    ]);
  });

  test.each([
    ["no tie", [3, 2, 1], [3, 2, 1]],
    ["a tie", [0, 0, 0], [2, 1, 0]],
    ["a tie below another priority", [1, 0, 0], [2, 1, 0]],
    ["a tie with room above", [5, 0, 0], [5, 1, 0]],
    ["a tie at the greatest", [greatest, greatest], [greatest, greatest - 1]],
    [
      "a tie beside the greatest",
      [greatest, greatest - 1, greatest - 1],
      [greatest, greatest - 1, greatest - 2],
    ],
    ["a tie at the least", [least, least], [least + 1, least]],
  ])("priorities: %s", (_what, own, written) => {
    const links = own.map((priority) => ({ phase: AUTHZ, priority }));
    expect(distinctPriorities(links)).toEqual(written);
  });

  test("priorities: a tie across phases stays", () => {
    const links = [
      { phase: AUTHN, priority: 0 },
      { phase: AUTHZ, priority: 0 },
      { phase: UNSPECIFIED_PHASE, priority: 0 },
    ];
    expect(distinctPriorities(links)).toEqual([0, 0, 0]);
  });
});
