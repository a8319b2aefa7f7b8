/* Istio's side of an export: the schema of its definition, the rules of its webhook, and its order. */
import { toJson } from "@bufbuild/protobuf";
import { WasmPlugin as Schema } from "@kubernetes-models/istio/extensions.istio.io/v1alpha1/WasmPlugin";
import { type WasmPlugin, WasmPluginSchema } from "../../gen/wasmext/v1/wasm_plugin_pb.ts";

/** A manifest, as far as the rules look at it. */
export interface Manifest {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Record<string, string>;
    readonly annotations: Record<string, string>;
  };
  readonly spec: {
    readonly selector?: { readonly matchLabels: Record<string, string> };
    readonly url: string;
    readonly phase?: string;
    readonly priority?: number;
    readonly pluginName?: string;
    readonly imagePullSecret?: string;
    readonly vmConfig?: { env?: { name: string; value?: string; valueFrom?: string }[] };
    readonly match?: { mode?: string; ports?: { number: number }[] }[];
  };
}

/** The JSON that Kubernetes gets. */
export function manifestOf(plugin: WasmPlugin): Manifest {
  return toJson(WasmPluginSchema, plugin) as unknown as Manifest;
}

/** What the definition's schema, the webhook and Kubernetes say against a manifest. */
export function objections(manifest: Manifest): string[] {
  return [
    ...schemaObjections(manifest),
    ...rules.filter(([, holds]) => !holds(manifest)).map(([name]) => name),
  ];
}

function schemaObjections(manifest: Manifest): string[] {
  try {
    new Schema(manifest as ConstructorParameters<typeof Schema>[0]).validate();
    return [];
  } catch (error) {
    return [String(error)];
  }
}

const env = ({ spec }: Manifest) => spec.vmConfig?.env ?? [];
const labels = ({ spec }: Manifest) => Object.entries(spec.selector?.matchLabels ?? {});

const rules: readonly [string, (manifest: Manifest) => boolean][] = [
  ["a url", ({ spec }) => /^(?:oci|https?|file):\/\/./.test(spec.url)],
  ["no port but a number", ({ spec }) => !/^oci:\/\/[^/]*:(?!\d+(?:\/|$))/.test(spec.url)],
  [
    "a selector with labels, or none",
    (all) => all.spec.selector === undefined || labels(all).length > 0,
  ],
  ["no empty label key", (all) => labels(all).every(([key]) => key !== "")],
  [
    "no wildcard",
    (all) =>
      !labels(all)
        .flat()
        .some((text) => text.includes("*")),
  ],
  ["label values of 63", (all) => labels(all).every(([, value]) => value.length <= 63)],
  ["a secret name of 253", ({ spec }) => (spec.imagePullSecret ?? "x").length <= 253],
  ["no plugin name, which would be Envoy's root_id", ({ spec }) => spec.pluginName === undefined],
  ["256 variables", (all) => env(all).length <= 256],
  ["variable names", (all) => env(all).every(({ name }) => name !== "" && name.length <= 256)],
  [
    "distinct variables",
    (all) => new Set(env(all).map(({ name }) => name)).size === env(all).length,
  ],
  ["values of 2048", (all) => env(all).every(({ value = "" }) => Array.from(value).length <= 2048)],
  [
    "no value beside HOST",
    (all) => env(all).every((one) => one.valueFrom !== "HOST" || !("value" in one)),
  ],
  [
    "distinct ports",
    ({ spec }) =>
      (spec.match ?? []).every(
        ({ ports = [] }) => new Set(ports.map(({ number }) => number)).size === ports.length,
      ),
  ],
  ["a name that is a DNS label", ({ metadata }) => isDnsLabel(metadata.name)],
  ["a namespace that is a DNS label", ({ metadata }) => isDnsLabel(metadata.namespace)],
  ["a priority", ({ spec }) => Number.isInteger(spec.priority)],
  ["no phase that is unspecified", ({ spec }) => spec.phase !== "UNSPECIFIED_PHASE"],
];

const isDnsLabel = (text: string): boolean => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text);

/** A manifest in a cluster, and when it was created there. */
export interface Created {
  readonly manifest: Manifest;
  readonly createdAt: number;
}

/** The order in which Istio runs plugins: phases, then priority, creation, name and namespace. */
export function istioOrder(objects: readonly Created[]): Created[] {
  const phases = ["AUTHN", "AUTHZ", "STATS", undefined];
  const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return objects.toSorted(
    ({ manifest: a, createdAt }, { manifest: b, createdAt: other }) =>
      phases.indexOf(a.spec.phase) - phases.indexOf(b.spec.phase) ||
      (b.spec.priority ?? -2147483648) - (a.spec.priority ?? -2147483648) ||
      createdAt - other ||
      byText(a.metadata.name, b.metadata.name) ||
      byText(a.metadata.namespace, b.metadata.namespace),
  );
}
