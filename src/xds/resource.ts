/* What goes on the wire for a slot: one resource, with all that runs in it. */
import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import {
  type AsyncDataSource,
  AsyncDataSourceSchema,
  DataSourceSchema,
} from "../../gen/envoy/config/core/v3/base_pb.ts";
import { TypedExtensionConfigSchema } from "../../gen/envoy/config/core/v3/extension_pb.ts";
import {
  FilterChainConfigSchema,
  FilterChainSchema,
} from "../../gen/envoy/extensions/filters/http/filter_chain/v3/filter_chain_pb.ts";
import { WasmSchema } from "../../gen/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts";
import { PluginConfigSchema, VmConfigSchema } from "../../gen/envoy/extensions/wasm/v3/wasm_pb.ts";
import type { Module, Modules } from "../modules/modules.ts";
import { field, type Pieces, textField } from "../wire/pieces.ts";
import type { Filter } from "./filter.ts";
import type { SlotContent } from "./slot.ts";

/** The type of the resources. */
export const resourceType = `type.googleapis.com/${TypedExtensionConfigSchema.typeName}`;

/** How modules reach a proxy. */
export interface ModuleDelivery {
  /** The greatest module that is sent in a resource, in bytes; proxies fetch larger ones over HTTP. */
  readonly maxInlineBytes: number;
  /** Where a proxy fetches a module. */
  readonly location: (module: Module) => { readonly uri: string; readonly cluster: string };
}

/** The greatest sum of the modules in one resource, in bytes. */
const maxInlineTotal = 32 * 1024 * 1024;

/** How long a proxy may take to fetch a module, in s. */
const fetchTimeout = 30;

/** The modules of a content that its proxy has to fetch. */
export function fetchedModules(
  filters: readonly Filter[],
  { maxInlineBytes }: Pick<ModuleDelivery, "maxInlineBytes">,
): ReadonlySet<string> {
  const fetched = new Set<string>();
  let total = 0;
  for (const { module } of filters) {
    if (module !== undefined && !fetched.has(module.digest)) {
      if (module.size > maxInlineBytes || total + module.size > maxInlineTotal) {
        fetched.add(module.digest);
      } else {
        total += module.size;
      }
    }
  }
  return fetched;
}

/** The modules of a content that are sent in it. */
export function inlineModules(
  filters: readonly Filter[],
  delivery: Pick<ModuleDelivery, "maxInlineBytes">,
): Module[] {
  const fetched = fetchedModules(filters, delivery);
  const inline = new Map<string, Module>();
  for (const { module } of filters) {
    if (module !== undefined && !fetched.has(module.digest)) {
      inline.set(module.digest, module);
    }
  }
  return [...inline.values()];
}

/**
 * The configuration of a slot, encoded.
 *
 * Rejects if the bytes of a module are no longer to be had.
 *
 * @param generation - makes the bytes differ from those of an earlier answer that was refused: a proxy
 *   accepts the bytes that it got last without looking at them
 */
export async function chainConfig(
  { filters }: Pick<SlotContent, "filters">,
  generation: string,
  modules: Pick<Modules, "bytes">,
  delivery: ModuleDelivery,
): Promise<Pieces> {
  const fetched = fetchedModules(filters, delivery);
  const configs: Uint8Array[] = [];
  for (const filter of filters) {
    const { key, module } = filter;
    const isRemote = module !== undefined && fetched.has(module.digest);
    const { typeUrl, value } = filter.encode(isRemote ? remoteCode(module, delivery) : undefined);
    const code =
      module === undefined || isRemote ? [] : inlineCode(await modules.bytes(module.digest));
    const config = extension(`${key}@${generation}`, typeUrl, [value, ...code]);
    configs.push(...field(FilterChainSchema.field.filters.number, config));
  }
  // A chain without filters is refused; no chain is not.
  return configs.length === 0
    ? []
    : field(FilterChainConfigSchema.field.defaultFilterChain.number, configs);
}

/** The resource of a slot, an Any, around its configuration. */
export function resourceOf(name: string, config: Pieces): Pieces {
  return any(resourceType, extension(name, chainType, config));
}

const chainType = `type.googleapis.com/${FilterChainConfigSchema.typeName}`;

/** A TypedExtensionConfig. */
function extension(name: string, typeUrl: string, value: Pieces): Pieces {
  const { name: itsName, typedConfig } = TypedExtensionConfigSchema.field;
  return [...textField(itsName.number, name), ...field(typedConfig.number, any(typeUrl, value))];
}

function any(type: string, content: Pieces): Pieces {
  const { typeUrl, value } = AnySchema.field;
  return [...textField(typeUrl.number, type), ...field(value.number, content)];
}

/**
 * The code of a Wasm filter, as a part of the filter that is encoded after the rest of it: parsers merge parts
 * of a message. The bytes of the module, of which there may be megabytes, are not copied.
 */
function inlineCode(bytes: Uint8Array): Pieces {
  const source = field(DataSourceSchema.field.inlineBytes.number, [bytes]);
  const code = field(AsyncDataSourceSchema.field.local.number, source);
  const vm = field(VmConfigSchema.field.code.number, code);
  const config = field(PluginConfigSchema.field.vmConfig.number, vm);
  return field(WasmSchema.field.config.number, config);
}

function remoteCode(module: Module, { location }: ModuleDelivery): AsyncDataSource {
  const { uri, cluster } = location(module);
  const httpUri = {
    uri,
    httpUpstreamType: { case: "cluster", value: cluster },
    timeout: { seconds: BigInt(fetchTimeout) },
  } as const;
  const value = { httpUri, sha256: module.digest };
  return create(AsyncDataSourceSchema, { specifier: { case: "remote", value } });
}
