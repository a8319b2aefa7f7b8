/* The filters that run in a slot. */
import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type AsyncDataSource,
  AsyncDataSourceSchema,
} from "../../gen/envoy/config/core/v3/base_pb.ts";
import { HTTPFaultSchema } from "../../gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts";
import { LuaSchema } from "../../gen/envoy/extensions/filters/http/lua/v3/lua_pb.ts";
import { type Wasm, WasmSchema } from "../../gen/envoy/extensions/filters/http/wasm/v3/wasm_pb.ts";
import { FailurePolicy } from "../../gen/envoy/extensions/wasm/v3/wasm_pb.ts";
import {
  EnvValueSource,
  type VmConfig,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { ChainLink } from "../../gen/wasmext/v1/chain_pb.ts";
import type { Module } from "../modules/modules.ts";

/** A filter that runs in a slot. Its value never changes. */
export interface Filter {
  /** Identifies the attachment on its target: the extension's fqn, and a number if it is there again. */
  readonly key: string;
  /** Whether it runs the attached extension, or answers requests in its place. */
  readonly kind: "plugin" | "deny";
  /** Tells filters apart that do not do the same. */
  readonly hash: string;
  /** How many bytes it takes, without its module. */
  readonly size: number;
  /** The module that has to be sent with it; undefined if there is none, or the proxy has it. */
  readonly module: Module | undefined;
  /** The path of its module in the file system of the proxy, if it is there. */
  readonly file?: string | undefined;
  /** What the proxy gets, with the code of the module if it is sent by its address. */
  encode(code: AsyncDataSource | undefined): Any;
}

/** How a filter of an attachment fails: closed, so that requests are denied, or open, so that they pass. */
export type OnFailure = "deny" | "skip";

/** Where the code of a plugin is. */
export type PluginCode =
  | { readonly module: Module }
  /** A path in the file system of the proxy. */
  | { readonly file: string };

/**
 * The filter of a link: a Wasm plugin in a VM of its own.
 *
 * @param key - see Filter
 * @param vm - identifies the VM: filters that name the same one share it
 */
export function pluginFilter(
  link: ChainLink,
  { key, vm, code, onFailure }: { key: string; vm: string; code: PluginCode; onFailure: OnFailure },
): Filter {
  // It is made when it is needed, and not kept: a configuration may be large, and be attached at many targets.
  const make = (isWhole: boolean): Wasm =>
    create(WasmSchema, {
      config: {
        name: key,
        vm: {
          case: "vmConfig",
          value: {
            vmId: vm,
            runtime: "envoy.wasm.runtime.v8",
            ...("file" in code && { code: fileCode(code.file) }),
            ...(isWhole && { environmentVariables: environmentOf(link.vmConfig) }),
          },
        },
        ...(isWhole && link.config && { configuration: configurationOf(link.config) }),
        // A closed filter that has trapped is made again, so that one bad request does not close it for good.
        failurePolicy: onFailure === "deny" ? FailurePolicy.FAIL_RELOAD : FailurePolicy.FAIL_OPEN,
      },
    });
  const module = "module" in code ? code.module : undefined;
  const frame = toBinary(WasmSchema, make(false));
  const config = textOf(link.config);
  const env = textOf(link.vmConfig);
  return {
    key,
    kind: "plugin",
    hash: hashOf(frame, JSON.stringify([module?.digest, config.hash, env.hash])),
    size: frame.byteLength + config.size + env.size,
    module,
    file: "file" in code ? code.file : undefined,
    encode: (sent) =>
      anyPack(WasmSchema, sent === undefined ? make(true) : withCode(make(true), sent)),
  };
}

/**
 * A filter that answers every request with 503, in the place of an extension that cannot run.
 *
 * @param hasLua - whether the proxy can run a script; if not, the answer names no reason
 */
export function denyFilter(key: string, hasLua: boolean): Filter {
  const config = hasLua
    ? anyPack(LuaSchema, create(LuaSchema, { defaultSourceCode: inlineString(denyScript) }))
    : anyPack(HTTPFaultSchema, create(HTTPFaultSchema, { abort: alwaysUnavailable }));
  return {
    key,
    kind: "deny",
    hash: hashOf(config.value, "deny"),
    size: config.value.byteLength,
    module: undefined,
    encode: () => config,
  };
}

/** What clients of the proxy get: nothing that tells them how it is configured. */
const denyScript = `function envoy_on_request(handle)
  handle:respond(
    {[":status"] = "503", ["content-type"] = "text/plain; charset=utf-8"},
    "an extension that this service requires is not available\\n"
  )
end
`;

const alwaysUnavailable = {
  errorType: { case: "httpStatus", value: 503 },
  percentage: { numerator: 100 },
} as const;

function withCode(wasm: Wasm, code: AsyncDataSource): Wasm {
  const { config } = wasm;
  if (config?.vm.value === undefined) {
    return wasm;
  }
  // Without nackOnCodeCacheMiss, a module that the proxy has yet to fetch is left out without a word.
  const value = { ...config.vm.value, code, nackOnCodeCacheMiss: true };
  return { ...wasm, config: { ...config, vm: { case: "vmConfig", value } } };
}

/** The configuration as plugins get it: proto3 JSON, as text. */
function configurationOf(config: NonNullable<ChainLink["config"]>): Any {
  const value = JSON.stringify(config);
  return anyPack(StringValueSchema, create(StringValueSchema, { value }));
}

function environmentOf(vmConfig: VmConfig | undefined) {
  const env = vmConfig?.env ?? [];
  const ofHost = env.filter(({ valueFrom }) => valueFrom === EnvValueSource.HOST);
  const inline = env.filter(({ valueFrom }) => valueFrom !== EnvValueSource.HOST);
  return {
    hostEnvKeys: ofHost.map(({ name }) => name),
    // Object.fromEntries has an entry for any name, `__proto__` too.
    keyValues: Object.fromEntries(inline.map(({ name, value }) => [name, value])),
  };
}

/** What is to be known of the text of a part of a link; it may be large, and be attached at many targets. */
interface PartText {
  readonly hash: string;
  /** In bytes. */
  readonly size: number;
}

const texts = new WeakMap<object, PartText>();

function textOf(part: ChainLink["config"] | VmConfig): PartText {
  if (part === undefined) {
    return { hash: "", size: 0 };
  }
  let known = texts.get(part);
  if (known === undefined) {
    const text = Buffer.from(JSON.stringify(part));
    known = { hash: hashOf(text, ""), size: text.byteLength };
    texts.set(part, known);
  }
  return known;
}

/** Code that a proxy reads from its own file system. */
function fileCode(filename: string): AsyncDataSource {
  const value = { specifier: { case: "filename", value: filename } } as const;
  return create(AsyncDataSourceSchema, { specifier: { case: "local", value } });
}

function inlineString(value: string) {
  return { specifier: { case: "inlineString", value } } as const;
}

function hashOf(bytes: Uint8Array, rest: string): string {
  return createHash("sha256").update(bytes).update(rest).digest("base64url").slice(0, 22);
}
