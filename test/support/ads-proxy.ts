/*
 * A proxy that speaks xDS as Envoy does: it asks for names one by one, answers each resource, and takes bytes
 * that it got last for good without looking at them, even if it has refused them.
 */
import { type MessageInitShape } from "@bufbuild/protobuf";
import { anyUnpack, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import type { NodeSchema } from "../../gen/envoy/config/core/v3/base_pb.ts";
import { TypedExtensionConfigSchema } from "../../gen/envoy/config/core/v3/extension_pb.ts";
import { FilterChainConfigSchema } from "../../gen/envoy/extensions/filters/http/filter_chain/v3/filter_chain_pb.ts";
import { WasmSchema } from "../../gen/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts";
import type { PluginConfig } from "../../gen/envoy/extensions/wasm/v3/wasm_pb.ts";
import { AggregatedDiscoveryService } from "../../gen/envoy/service/discovery/v3/ads_pb.ts";
import {
  type DeltaDiscoveryRequestSchema,
  type DiscoveryRequestSchema,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { until } from "./stream.ts";

const typeUrl = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/** A filter that the proxy runs. */
export interface RunFilter {
  /** The name of a plugin; `deny` for what stands in its place. */
  readonly name: string;
  readonly plugin: PluginConfig | undefined;
  /** The configuration as the plugin gets it. */
  readonly config: string | undefined;
}

/** What the proxy runs in a slot. */
interface RunSlot {
  received: string;
  version: string | undefined;
  filters: readonly RunFilter[] | undefined;
}

/** Options of a proxy. */
export interface AdsProxyOptions {
  readonly node?: MessageInitShape<typeof NodeSchema>;
  readonly protocol?: "delta" | "world";
  /** Why it refuses a plugin; undefined if it does not. */
  readonly refusal?: (plugin: PluginConfig, config: string) => string | undefined;
}

/** A proxy that asks for slots, and runs what it gets. */
export class AdsProxy {
  readonly #options: AdsProxyOptions;
  readonly #names: readonly string[];
  readonly #slots = new Map<string, RunSlot>();
  #requests = createQueue<never>();
  #controller = new AbortController();
  #hasEnded: Promise<unknown> = Promise.resolve();
  /** What the proxy has answered: the names of slots, and `refused` or `accepted`. */
  readonly answers: (readonly [string, "accepted" | "refused"])[] = [];
  error: unknown;

  constructor(names: readonly string[], options: AdsProxyOptions = {}) {
    this.#names = names;
    this.#options = options;
  }

  /** Connects, or connects again. */
  connect(transport: Transport): void {
    this.#controller = new AbortController();
    this.#requests = createQueue();
    const { signal } = this.#controller;
    this.error = undefined;
    this.#hasEnded = (
      this.#options.protocol === "world"
        ? this.#followWorld(transport, signal)
        : this.#followDelta(transport, signal)
    ).catch((error: unknown) => {
      this.error = error;
    });
  }

  async disconnect(): Promise<void> {
    this.#controller.abort();
    this.#requests.end();
    await this.#hasEnded;
  }

  /** Resolves when the stream has ended, by whomever. */
  get ended(): Promise<unknown> {
    return this.#hasEnded;
  }

  /** The names of the filters that run in a slot; undefined before the first answer that was good. */
  run(name: string): string[] | undefined {
    return this.#slots.get(name)?.filters?.map((filter) => filter.name);
  }

  /** The filters that run in a slot. */
  filters(name: string): readonly RunFilter[] {
    return this.#slots.get(name)?.filters ?? [];
  }

  /** Resolves when some filters run in a slot. */
  async runs(name: string, filters: readonly string[]): Promise<void> {
    const wanted = JSON.stringify(filters);
    await until(
      () => JSON.stringify(this.run(name)) === wanted,
      `${name} runs ${wanted}, not ${JSON.stringify(this.run(name))}`,
    );
  }

  async #followDelta(transport: Transport, signal: AbortSignal): Promise<void> {
    const send = (request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void => {
      this.#requests.add({ typeUrl, ...request } as never);
    };
    const known = [...this.#slots].flatMap(([name, { version }]) =>
      version === undefined ? [] : [[name, version] as const],
    );
    const { node = { id: "proxy" } } = this.#options;
    if (this.#slots.size > 0) {
      send({
        node,
        resourceNamesSubscribe: [...this.#names],
        initialResourceVersions: Object.fromEntries(known),
      });
    } else {
      this.#names.forEach((name, index) => {
        send({ ...(index === 0 && { node }), resourceNamesSubscribe: [name] });
      });
    }
    const client = createClient(AggregatedDiscoveryService, transport);
    for await (const response of client.deltaAggregatedResources(this.#requests, { signal })) {
      const [resource] = response.resources;
      if (resource?.resource !== undefined) {
        const refusal = this.#take(resource.name, resource.version, resource.resource);
        send({
          responseNonce: response.nonce,
          ...(refusal !== undefined && { errorDetail: { code: 13, message: refusal } }),
        });
      }
    }
  }

  async #followWorld(transport: Transport, signal: AbortSignal): Promise<void> {
    const asked: string[] = [];
    let versionInfo = [...this.#slots.values()].find(({ version }) => version)?.version ?? "";
    const send = (request: MessageInitShape<typeof DiscoveryRequestSchema>): void => {
      const resourceNames = [...asked];
      this.#requests.add({ typeUrl, resourceNames, versionInfo, ...request } as never);
    };
    const { node = { id: "proxy" } } = this.#options;
    this.#names.forEach((name, index) => {
      asked.unshift(name);
      send(index === 0 ? { node } : {});
    });
    const client = createClient(AggregatedDiscoveryService, transport);
    for await (const response of client.streamAggregatedResources(this.#requests, { signal })) {
      const [resource] = response.resources;
      const config = resource && anyUnpack(resource, TypedExtensionConfigSchema);
      if (resource !== undefined && config !== undefined) {
        const refusal = this.#take(config.name, response.versionInfo, resource);
        versionInfo = refusal === undefined ? response.versionInfo : versionInfo;
        send({
          responseNonce: response.nonce,
          ...(refusal !== undefined && { errorDetail: { code: 13, message: refusal } }),
        });
      }
    }
  }

  /** Takes a resource; returns why it is refused. */
  #take(
    name: string,
    version: string,
    resource: Parameters<typeof anyUnpack>[0],
  ): string | undefined {
    const slot = this.#slots.get(name) ?? { received: "", version: undefined, filters: undefined };
    this.#slots.set(name, slot);
    const received = Buffer.from(resource.value).toString("base64");
    if (received === slot.received) {
      this.answers.push([name, "accepted"]);
      slot.version = version;
      return undefined;
    }
    slot.received = received;
    const config = anyUnpack(resource, TypedExtensionConfigSchema)?.typedConfig;
    const chain = config && anyUnpack(config, FilterChainConfigSchema);
    if (chain === undefined) {
      throw new Error(`${name} gets no chain`);
    }
    const filters = (chain.defaultFilterChain?.filters ?? []).map(({ typedConfig }): RunFilter => {
      const wasm = typedConfig && anyUnpack(typedConfig, WasmSchema);
      const plugin = wasm?.config;
      const text = plugin?.configuration && anyUnpack(plugin.configuration, StringValueSchema);
      return { name: plugin?.name ?? "deny", plugin, config: text?.value };
    });
    for (const { plugin, config: text = "" } of filters) {
      const refusal = plugin && this.#options.refusal?.(plugin, text);
      if (refusal !== undefined) {
        this.answers.push([name, "refused"]);
        return refusal;
      }
    }
    this.answers.push([name, "accepted"]);
    slot.version = version;
    slot.filters = filters;
    return undefined;
  }
}

/** Requests that are sent one after the other. */
function createQueue<T>() {
  const waiting: T[] = [];
  let wake: () => void = () => undefined;
  let hasEnded = false;
  return {
    add(item: T) {
      waiting.push(item);
      wake();
    },
    end() {
      hasEnded = true;
      wake();
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
      while (!hasEnded) {
        const next = waiting.shift();
        if (next !== undefined) {
          yield next;
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
