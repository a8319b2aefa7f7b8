import { toBinary } from "@bufbuild/protobuf";
import { WasmExtensionSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WasmExtensionAttachmentSchema } from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { AttachmentSetSchema } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import {
  type Chain,
  type ChainLink,
  ChainLinkSchema,
  ChainSchema,
  ConfigSource,
} from "../../../gen/wasmext/v1/chain_pb.ts";
import { type DelimitedField, delimitedValues, encodeFields } from "../../wire/delimited.ts";
import { findAttachments, findExtension, type State } from "../state/state.ts";

/** The stored bytes that a chain is encoded from. */
export interface ChainSources {
  /** The attachments, by their position in the set. */
  readonly attachments: readonly Uint8Array[];
  /** The extension of each link. */
  readonly extensions: readonly Uint8Array[];
}

/** The stored bytes that a chain of a state is encoded from. */
export function chainSources(state: State, { target, links }: Chain): ChainSources {
  const set = findAttachments(state, target)?.bytes ?? none;
  return {
    attachments: delimitedValues(set, AttachmentSetSchema.field.extension.number),
    extensions: links.map(({ fqn }) => findExtension(state, fqn)?.bytes ?? none),
  };
}

/**
 * Encodes a chain. What can be large in a link, its configuration and its VM, is copied from what is stored
 * instead of being encoded again.
 */
export function encodeChain(chain: Chain, { attachments, extensions }: ChainSources): Uint8Array {
  const links = chain.links.map((link, index) => ({
    number: ChainSchema.field.links.number,
    value: encodeLink(link, extensions[index] ?? none, attachments[link.position] ?? none),
  }));
  return encodeFields(links, toBinary(ChainSchema, { ...chain, links: [] }));
}

function encodeLink(link: ChainLink, extension: Uint8Array, attachment: Uint8Array): Uint8Array {
  const small: ChainLink = { ...link };
  delete small.vmConfig;
  delete small.config;
  const { config, vmConfig } = ChainLinkSchema.field;
  const of = WasmExtensionSchema.field;
  const configs =
    link.configSource === ConfigSource.ATTACHMENT
      ? delimitedValues(attachment, WasmExtensionAttachmentSchema.field.config.number)
      : delimitedValues(extension, of.config.number);
  return encodeFields(
    [
      ...asField(vmConfig.number, delimitedValues(extension, of.vmConfig.number)),
      ...asField(config.number, configs),
    ],
    toBinary(ChainLinkSchema, small),
  );
}

function asField(number: number, values: readonly Uint8Array[]): DelimitedField[] {
  return values.map((value) => ({ number, value }));
}

const none = new Uint8Array();
