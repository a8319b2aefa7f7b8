import { toJson } from "@bufbuild/protobuf";
import { WorkloadMode } from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import type { AttachmentSet } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { ConfigSource } from "../../../gen/wasmext/v1/chain_pb.ts";
import { type WasmPlugin, WasmPluginSchema } from "../../../gen/wasmext/v1/wasm_plugin_pb.ts";
import { attachmentSetsUnder } from "../../catalog/reads/attachment-reads.ts";
import { resolveChain } from "../../catalog/reads/chain.ts";
import { exportTooLarge, notExportable, type Precondition } from "../../catalog/errors.ts";
import type { State } from "../../catalog/state/state.ts";
import { targetOf } from "../../catalog/names/target.ts";
import { type PluginOrigin, problemsOfPlugin } from "./limits.ts";
import { pluginName } from "./plugin-name.ts";
import { storedSize } from "./stored-size.ts";
import {
  namespaceOf,
  occurrencesIn,
  type WrittenPriority,
  writtenPriorities,
} from "./tenant-priorities.ts";
import { wasmPluginOf } from "./wasm-plugin.ts";

/** The greatest size of an export, as manifests in JSON, in bytes. */
export const maxExportBytes = 16 * 1024 * 1024;

/** The number of violations after which the search ends. */
const maxProblems = 1_000;

const allTraffic = { mode: WorkloadMode.UNDEFINED, port: 0 };

/**
 * The WasmPlugins for the chains of a target, or of all targets under a parent: by target, then in
 * the order of its chain. A pure function of one state. It yields after each plugin, so that the caller
 * can let others run in between, and returns all of them.
 *
 * Raises a CatalogError of the kind failed-precondition that names all that Istio or Kubernetes
 * cannot hold, or of the kind too-large.
 *
 * @param parent - the fqn of a target, an organization, a tenant, a workspace or a gateway group
 */
export function* exportIstio(state: State, parent: string): Generator<void, WasmPlugin[]> {
  const problems = new Map<string, Precondition>();
  const plugins: WasmPlugin[] = [];
  let exportBytes = 0;
  for (const { plugin, origin } of pluginsUnder(state, parent)) {
    const size = storedSize(toJson(WasmPluginSchema, plugin));
    exportBytes += size.manifest;
    plugins.push(plugin);
    for (const problem of problemsOfPlugin(plugin, { ...origin, size })) {
      // A violation in a set or an extension is found again in each of its plugins.
      problems.set(`${problem.subject} ${problem.description}`, problem);
    }
    if (exportBytes > maxExportBytes || problems.size >= maxProblems) {
      break;
    }
    yield;
  }
  if (problems.size > 0) {
    throw notExportable("Istio", parent, [...problems.values()]);
  }
  if (exportBytes > maxExportBytes) {
    throw exportTooLarge(parent, maxExportBytes);
  }
  return plugins;
}

interface Exported {
  readonly plugin: WasmPlugin;
  readonly origin: Omit<PluginOrigin, "size">;
}

function* pluginsUnder(state: State, parent: string): Generator<Exported> {
  let priorities: { tenant: string; written: WrittenPriority } | undefined;
  for (const { message: attachmentSet } of attachmentSetsUnder(state, parent)) {
    // Sets are sorted by fqn, so those of a tenant follow one another.
    const { tenant } = targetOf(attachmentSet.fqn);
    if (priorities?.tenant !== tenant) {
      priorities = { tenant, written: writtenPriorities(state, tenant) };
    }
    yield* pluginsOf(state, attachmentSet, priorities.written);
  }
}

function* pluginsOf(
  state: State,
  attachmentSet: AttachmentSet,
  written: WrittenPriority,
): Generator<Exported> {
  const { fqn: target, workloadSelector: workloads } = attachmentSet;
  const namespace = namespaceOf(attachmentSet);
  const occurrences = occurrencesIn(attachmentSet);
  for (const link of resolveChain(state, target, allTraffic).links) {
    const [, occurrence = 0] = occurrences[link.position] ?? [];
    const plugin = wasmPluginOf(link, {
      target,
      workloads,
      name: pluginName(target, link.fqn, occurrence),
      priority: written(namespace, link.fqn, occurrence),
    });
    const config =
      link.configSource === ConfigSource.ATTACHMENT
        ? { subject: target, field: `extension[${link.position}].config` }
        : { subject: link.fqn, field: "config" };
    yield { plugin, origin: { target, extension: link.fqn, config } };
  }
}
