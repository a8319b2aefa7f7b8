/* Objects as tables. */
import {
  type WasmExtension,
  WasmExtension_PluginPhase as Phase,
  WasmExtension_PluginPhaseSchema as PhaseSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type TrafficSelector,
  type WasmExtensionAttachment,
  WorkloadMode as Mode,
  WorkloadModeSchema,
} from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { organizationOf } from "../catalog/names/fqn.ts";
import type { CatalogObjects } from "./catalog-objects.ts";
import type { Shell } from "./shell.ts";
import { formatTable } from "./text.ts";

/** The content of an empty cell. */
export const nothing = "-";

/** Tables of objects: extensions, then attachments. */
export function viewOfObjects(
  shell: Shell,
  { extensions, attachmentSets }: CatalogObjects,
): string {
  const tables = [
    ...(extensions.length === 0 ? [] : [viewOfExtensions(shell, extensions)]),
    ...(attachmentSets.length === 0 ? [] : [viewOfAttachmentSets(shell, attachmentSets)]),
  ];
  return tables.join("\n");
}

function viewOfExtensions(shell: Shell, extensions: readonly WasmExtension[]): string {
  return formatTable(
    shell,
    ["PHASE", "PRIORITY", "EXTENSION", "URL", "ALLOWED IN"],
    extensions.map((extension) => [
      phaseName(extension.phase),
      String(extension.priority),
      extension.fqn,
      extension.url,
      scopeOf(extension),
    ]),
  );
}

function viewOfAttachmentSets(shell: Shell, sets: readonly AttachmentSet[]): string {
  const rows = sets.flatMap((set) =>
    set.extension.length === 0
      ? [[set.fqn, workloadsOf(set), nothing, nothing, nothing]]
      : set.extension.map((attachment, index) => [
          index === 0 ? set.fqn : "",
          index === 0 ? workloadsOf(set) : "",
          attachment.fqn,
          attachment.config === undefined ? "inherited" : "own",
          matchOf(attachment),
        ]),
  );
  return formatTable(shell, ["TARGET", "WORKLOADS", "ATTACHES", "CONFIG", "MATCH"], rows);
}

/** On how many proxies something runs that should: `2/3`. */
export function runsOn(status: { running: number; proxies: number } | undefined): string {
  return status === undefined || status.proxies === 0
    ? nothing
    : `${status.running}/${status.proxies}`;
}

/** The name of a phase. */
export function phaseName(phase: Phase): string {
  return phase === Phase.UNSPECIFIED_PHASE
    ? nothing
    : (PhaseSchema.value[phase]?.name ?? String(phase));
}

/** Traffic selectors in short: `CLIENT:80,443`, one or the other. */
export function trafficOf(match: readonly TrafficSelector[]): string {
  return match
    .map(({ mode, ports }) => {
      const isEither = mode === Mode.UNDEFINED || mode === Mode.CLIENT_AND_SERVER;
      const name = isEither ? "all" : (WorkloadModeSchema.value[mode]?.name ?? String(mode));
      return ports.length === 0 ? name : `${name}:${ports.map(({ number }) => number).join(",")}`;
    })
    .join(" or ");
}

function scopeOf(extension: WasmExtension): string {
  const prefix = `${organizationOf(extension.fqn)}/`;
  return extension.allowedIn.length === 0
    ? "everywhere"
    : extension.allowedIn
        .map((entry) => (entry.startsWith(prefix) ? entry.slice(prefix.length) : entry))
        .join(", ");
}

function workloadsOf({ workloadSelector }: AttachmentSet): string {
  const labels = Object.entries(workloadSelector?.labels ?? {}).map((pair) => pair.join("="));
  const shown = [workloadSelector?.namespace ?? "", labels.join(",")].filter((part) => part !== "");
  return shown.length === 0 ? nothing : shown.join(" ");
}

function matchOf({ match }: WasmExtensionAttachment): string {
  return match.length === 0 ? "inherited" : trafficOf(match);
}
