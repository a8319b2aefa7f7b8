import { toBinary } from "@bufbuild/protobuf";
import { WorkloadMode } from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import type { AttachmentSet } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { type WasmPlugin, WasmPluginSchema } from "../../../gen/wasmext/v1/wasm_plugin_pb.ts";
import { attachmentSetsUnder } from "../../catalog/attachment-reads.ts";
import { resolveChain } from "../../catalog/chain.ts";
import { exportTooLarge, notExportable, type Precondition } from "../../catalog/errors.ts";
import type { State } from "../../catalog/state.ts";
import { distinctPriorities } from "./distinct-priorities.ts";
import { problemsOfPlugin } from "./limits.ts";
import { pluginName } from "./plugin-name.ts";
import { wasmPluginOf } from "./wasm-plugin.ts";

/** How much an export holds, in binary, in bytes. */
const maxExportBytes = 64 * 1024 * 1024;

const allTraffic = { mode: WorkloadMode.UNDEFINED, port: 0 };

/**
 * The WasmPlugins for the chains of a target, or of all targets under a parent: by target, then in
 * the order of its chain. A pure function of one state.
 *
 * Raises a CatalogError of the kind failed-precondition that names all that Istio or Kubernetes
 * cannot hold, or of the kind too-large.
 *
 * @param parent - the fqn of a target, an organization, a tenant, a workspace or a gateway group
 */
export function exportIstio(state: State, parent: string): WasmPlugin[] {
  const problems = new Map<string, Precondition>();
  const plugins: WasmPlugin[] = [];
  let exportBytes = 0;
  for (const attachmentSet of attachmentSetsUnder(state, parent)) {
    for (const { plugin, extension } of pluginsOf(state, attachmentSet)) {
      const bytes = toBinary(WasmPluginSchema, plugin).byteLength;
      exportBytes += bytes;
      if (exportBytes > maxExportBytes) {
        throw exportTooLarge(parent, maxExportBytes);
      }
      plugins.push(plugin);
      const target = attachmentSet.fqn;
      for (const problem of problemsOfPlugin(plugin, { target, extension, bytes })) {
        // What is wrong with a set, or with an extension, is wrong with each of its plugins.
        problems.set(`${problem.subject} ${problem.description}`, problem);
      }
    }
  }
  if (problems.size > 0) {
    throw notExportable("Istio", parent, [...problems.values()]);
  }
  return plugins;
}

function pluginsOf(
  state: State,
  { fqn: target, workloadSelector: workloads, extension: attachments }: AttachmentSet,
): { plugin: WasmPlugin; extension: string }[] {
  const { links } = resolveChain(state, target, allTraffic);
  const priorities = distinctPriorities(links);
  const indexes = occurrences(attachments.map(({ fqn }) => fqn));
  return links.map((link, index) => ({
    extension: link.fqn,
    plugin: wasmPluginOf(link, {
      target,
      workloads,
      name: pluginName(target, link.fqn, indexes[link.position] ?? 0),
      priority: priorities[index] ?? link.priority,
    }),
  }));
}

/** How often each name stands before its place in a list. */
function occurrences(names: readonly string[]): number[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return count;
  });
}
