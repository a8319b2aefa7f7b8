import { create } from "@bufbuild/protobuf";
import {
  EnvValueSource,
  EnvVarSchema,
  type VmConfig,
  VmConfigSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type TrafficSelector,
  TrafficSelectorSchema,
} from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import type { WorkloadSelector } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { ChainLink } from "../../../gen/wasmext/v1/chain_pb.ts";
import { type WasmPlugin, WasmPluginSchema } from "../../../gen/wasmext/v1/wasm_plugin_pb.ts";
import { sha256InUrl, withoutSha256 } from "../../catalog/names/module-url.ts";

/** What a plugin has beside its link. */
export interface PluginPlace {
  /** The target's fqn. */
  readonly target: string;
  readonly workloads: WorkloadSelector | undefined;
  readonly name: string;
  /** The priority to write. */
  readonly priority: number;
}

/** Istio's object for a link of a chain. */
export function wasmPluginOf(link: ChainLink, place: PluginPlace): WasmPlugin {
  const { target, workloads, name, priority } = place;
  return create(WasmPluginSchema, {
    apiVersion: "extensions.istio.io/v1alpha1",
    kind: "WasmPlugin",
    metadata: {
      name,
      namespace: workloads?.namespace ?? "",
      labels: { "app.kubernetes.io/managed-by": "wasmext", ...labelsOf(target) },
      annotations: {
        "wasmext.dev/target": target,
        "wasmext.dev/extension": link.fqn,
        ...(priority !== link.priority && { "wasmext.dev/priority": String(link.priority) }),
      },
    },
    spec: {
      // Istio warns of a selector without labels; without a selector, all workloads of the namespace
      // are selected, and those of all namespaces if it is Istio's root namespace.
      ...(Object.keys(workloads?.labels ?? {}).length > 0 && {
        selector: { matchLabels: workloads?.labels ?? {} },
      }),
      // Istio would send the fragment's sha256 to nobody, and check nothing.
      url: withoutSha256(link.url),
      sha256: sha256InUrl(link.url) ?? "",
      imagePullPolicy: link.imagePullPolicy,
      imagePullSecret: link.imagePullSecret,
      ...(link.config && { pluginConfig: link.config }),
      phase: link.phase,
      priority,
      ...(link.vmConfig && { vmConfig: withoutHostValues(link.vmConfig) }),
      match: link.match.map(withDistinctPorts),
    },
  });
}

/** `organizations/o/tenants/t` as `wasmext.dev/organization: o` and `wasmext.dev/tenant: t`. */
function labelsOf(target: string): Record<string, string> {
  const pairs = target.matchAll(/([a-z]+)s\/([^/]+)/g);
  return Object.fromEntries(
    [...pairs].map(([, kind = "", name = ""]) => [`wasmext.dev/${kind}`, name]),
  );
}

/** The catalog ignores a value beside HOST; Istio refuses it. */
function withoutHostValues({ env }: VmConfig): VmConfig {
  return create(VmConfigSchema, {
    env: env.map((variable) =>
      variable.valueFrom === EnvValueSource.HOST
        ? create(EnvVarSchema, { name: variable.name, valueFrom: EnvValueSource.HOST })
        : variable,
    ),
  });
}

/** Duplicate ports are left out: Kubernetes refuses them. */
function withDistinctPorts({ mode, ports }: TrafficSelector): TrafficSelector {
  const numbers = new Set(ports.map(({ number }) => number));
  return create(TrafficSelectorSchema, {
    mode,
    ports: [...numbers].map((number) => ({ number })),
  });
}
