/* What goes on the wire for a slot: one resource, with all that runs in it. */
import { create } from "@bufbuild/protobuf";
import { type Any, anyPack, AnySchema } from "@bufbuild/protobuf/wkt";
import {
  type AsyncDataSource,
  AsyncDataSourceSchema,
} from "../../gen/envoy/config/core/v3/base_pb.ts";
import { TypedExtensionConfigSchema } from "../../gen/envoy/config/core/v3/extension_pb.ts";
import { FilterChainConfigSchema } from "../../gen/envoy/extensions/filters/http/filter_chain/v3/filter_chain_pb.ts";
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

/**
 * The configuration of a slot.
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
): Promise<Any> {
  const fetched = fetchedModules(filters, delivery);
  const configs = [];
  for (const filter of filters) {
    const { key, module } = filter;
    let code: AsyncDataSource | undefined;
    if (module !== undefined) {
      code = fetched.has(module.digest)
        ? remoteCode(module, delivery)
        : inlineCode(await modules.bytes(module.digest));
    }
    configs.push({ name: `${key}@${generation}`, typedConfig: filter.encode(code) });
  }
  // A chain without filters is refused; no chain is not.
  return anyPack(
    FilterChainConfigSchema,
    create(
      FilterChainConfigSchema,
      configs.length === 0 ? {} : { defaultFilterChain: { filters: configs } },
    ),
  );
}

/** The resource of a slot, encoded as an Any around the configuration, which is not copied. */
export function resourceOf(name: string, { typeUrl, value }: Any): Pieces {
  const config = [...textField(anyType, typeUrl), ...field(anyValue, [value])];
  const { name: itsName, typedConfig } = TypedExtensionConfigSchema.field;
  const resource = [...textField(itsName.number, name), ...field(typedConfig.number, config)];
  return [...textField(anyType, resourceType), ...field(anyValue, resource)];
}

/** The fields of an Any. */
const anyType = AnySchema.field.typeUrl.number;
const anyValue = AnySchema.field.value.number;

function inlineCode(bytes: Uint8Array): AsyncDataSource {
  const value = { specifier: { case: "inlineBytes", value: bytes } } as const;
  return create(AsyncDataSourceSchema, { specifier: { case: "local", value } });
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
