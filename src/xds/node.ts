import type { JsonObject } from "@bufbuild/protobuf";
import type { Node } from "../../gen/envoy/config/core/v3/base_pb.ts";
import type { NodePlace } from "./slot-name.ts";

/** What a proxy says of itself. */
export interface ProxyNode {
  readonly id: string;
  readonly cluster: string;
  /** Such as `1.40.0`; empty if it does not say. */
  readonly version: string;
  /** What its slots are for, if their names do not say. */
  readonly place: NodePlace;
  /** The cluster by which it reaches this server. */
  readonly serverCluster: string;
  /** Why it cannot run extensions; undefined if it can, as far as it says. */
  readonly problem: string | undefined;
  /** Whether it can answer by a script; true if it does not say. */
  readonly hasLua: boolean;
}

/** Longest text of a node that is kept, in characters. */
const maxText = 256;

const filterChain = "envoy.filters.http.filter_chain";
const v8 = "envoy.wasm.runtime.v8";
const lua = "envoy.filters.http.lua";

/** Reads the node of a first request. What is missing or of another kind is left out. */
export function readNode(node: Node | undefined): ProxyNode {
  const place = objectOf(node?.metadata?.["wasmext"]);
  const version = versionOf(node);
  // A proxy that lists no extensions does not say which it has.
  const names = new Set(node?.extensions.flatMap((one) => (one.disabled ? [] : [one.name])));
  const lacks = (name: string): boolean => names.size > 0 && !names.has(name);
  return {
    id: textOf(node?.id) ?? "",
    cluster: textOf(node?.cluster) ?? "",
    version,
    place: { target: textOf(place["target"]), listener: textOf(place["listener"]) },
    serverCluster: textOf(place["cluster"]) ?? "wasmext",
    problem: problemOf(version, lacks),
    hasLua: !lacks(lua),
  };
}

function problemOf(version: string, lacks: (name: string) => boolean): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = version !== "" && (major < 1 || (major === 1 && minor < 39));
  const remedy = "run Envoy 1.39 or newer";
  if (isOld || lacks(filterChain)) {
    return `Envoy ${version} has no filter ${filterChain}; ${remedy}`;
  }
  return lacks(v8)
    ? `this build of Envoy ${version} has no WebAssembly runtime ${v8}; run one that has`
    : undefined;
}

function versionOf(node: Node | undefined): string {
  const said = node?.userAgentVersionType;
  if (said?.case === "userAgentBuildVersion") {
    const { majorNumber = 0, minorNumber = 0, patch = 0 } = said.value.version ?? {};
    return `${majorNumber}.${minorNumber}.${patch}`;
  }
  return said?.case === "userAgentVersion" && /^\d+\.\d+/.test(said.value)
    ? said.value.slice(0, maxText)
    : "";
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== ""
    ? value.slice(0, maxText * 4).toWellFormed()
    : undefined;
}

function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {};
}
