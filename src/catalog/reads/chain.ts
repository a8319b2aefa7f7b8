import { create } from "@bufbuild/protobuf";
import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  type WasmExtensionAttachment,
  WorkloadMode as Mode,
  WorkloadModeSchema,
} from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import {
  type Chain,
  type ChainExclusion,
  ChainExclusionSchema,
  type ChainLink,
  ChainLinkSchema,
  ChainSchema,
  ConfigSource,
  ExclusionReason,
} from "../../../gen/wasmext/v1/chain_pb.ts";
import { chainEtag } from "./chain-etag.ts";
import { chainTooLarge } from "../errors.ts";
import { compareExecution } from "../state/order.ts";
import { effectivePullPolicy } from "./pull-policy.ts";
import { findAttachments, findExtension, type State } from "../state/state.ts";
import { targetOf } from "../names/target.ts";
import { effectiveMatch, isSelected, type Traffic } from "./traffic.ts";

/**
 * What runs at a target, in execution order, and what was left out: a pure function of one state.
 *
 * Raises a CatalogError of the kind too-large if the links hold more than 16 MiB.
 *
 * @param target - the fqn of a target; one without attachments has an empty chain
 */
export function resolveChain(state: State, target: string, traffic: Traffic): Chain {
  const { isGateway } = targetOf(target);
  const set = findAttachments(state, target);
  // Each link repeats its extension, so a small set can make a very large chain.
  let bytes = set?.bytes.byteLength ?? 0;
  const links: ChainLink[] = [];
  const excluded: ChainExclusion[] = [];
  for (const [position, attachment] of set?.message.extension.entries() ?? []) {
    const extension = findExtension(state, attachment.fqn);
    if (extension === undefined) {
      // Deleting an extension removes its attachments in the same commit: see detach.ts.
      throw new Error(`${target} attaches ${attachment.fqn}, which does not exist`);
    }
    bytes += extension.bytes.byteLength;
    if (bytes > maxChainBytes) {
      throw chainTooLarge(target, maxChainBytes);
    }
    const link = linkOf(extension.message, attachment, position);
    const exclusion = exclusionOf(link, isGateway, traffic);
    if (exclusion === undefined) {
      links.push(link);
    } else {
      excluded.push(exclusion);
    }
  }
  links.sort((a, b) => compareExecution(a, b) || a.position - b.position);
  const chain = create(ChainSchema, { target, links, excluded });
  return Object.assign(chain, { revision: state.revision, etag: chainEtag(chain) });
}

/** How much the links of a chain hold, in bytes. */
export const maxChainBytes = 16 * 1024 * 1024;

function linkOf(
  extension: WasmExtension,
  attachment: WasmExtensionAttachment,
  position: number,
): ChainLink {
  const config = attachment.config ?? extension.config;
  return create(ChainLinkSchema, {
    fqn: extension.fqn,
    phase: extension.phase,
    priority: extension.priority,
    url: extension.url,
    imagePullPolicy: effectivePullPolicy(extension),
    imagePullSecret: extension.imagePullSecret,
    ...(extension.vmConfig && { vmConfig: extension.vmConfig }),
    ...(config && { config }),
    configSource: configSourceOf(extension, attachment),
    match: effectiveMatch(extension, attachment),
    position,
  });
}

function configSourceOf(extension: WasmExtension, attachment: WasmExtensionAttachment) {
  if (attachment.config !== undefined) {
    return ConfigSource.ATTACHMENT;
  }
  return extension.config === undefined ? ConfigSource.UNSPECIFIED : ConfigSource.EXTENSION;
}

function exclusionOf(
  { fqn, position, match }: ChainLink,
  isGateway: boolean,
  traffic: Traffic,
): ChainExclusion | undefined {
  // An attachment cannot select SERVER on a gateway: attachment-rules.ts refuses that.
  if (isGateway && !isSelected(match, { mode: Mode.CLIENT, port: 0 })) {
    return create(ChainExclusionSchema, {
      fqn,
      position,
      reason: ExclusionReason.SERVER_MODE_ON_GATEWAY,
      message: `${fqn} gets traffic of the mode SERVER only, and all traffic of a gateway counts as CLIENT.`,
    });
  }
  const isPossible = !isGateway || traffic.mode !== Mode.SERVER;
  if (isPossible && isSelected(match, traffic)) {
    return undefined;
  }
  return create(ChainExclusionSchema, {
    fqn,
    position,
    reason: ExclusionReason.TRAFFIC_NOT_SELECTED,
    message: isPossible
      ? `The match of ${fqn} does not select ${describe(traffic)}.`
      : `No traffic of the mode SERVER passes a gateway, so none reaches ${fqn}.`,
  });
}

function describe({ mode, port }: Traffic): string {
  const name = WorkloadModeSchema.value[mode]?.name ?? "";
  const direction = mode === Mode.UNDEFINED ? "" : ` of the mode ${name}`;
  return `traffic${direction}${port === 0 ? "" : ` to port ${port}`}`;
}
