/*
 * Slots are places in the filter chain of a proxy's listener. A proxy asks for what runs in one by its name:
 *
 *   wasmext/PHASE/LISTENER/TARGET, such as
 *   wasmext/authn/inbound:8080/organizations/acme/tenants/shop/workspaces/web/securitygroups/api
 *
 * The short forms `wasmext/PHASE` and `wasmext/PHASE/LISTENER` take the rest from the metadata of its node:
 * `wasmext: {target: FQN, listener: LISTENER}`.
 */
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import { isTarget, targetOf } from "../catalog/names/target.ts";
import type { Traffic } from "../catalog/reads/traffic.ts";

/** What a slot is for. */
export interface SlotPlace {
  /** The target's fqn. */
  readonly target: string;
  /** The listener as it was named: `gateway`, `inbound` or `outbound`, with a port or without. */
  readonly listener: string;
  /** The traffic of the listener. */
  readonly traffic: Traffic;
  /** The phases that run in the slot, in order. */
  readonly phases: readonly Phase[];
}

/** What the metadata of a node says for the slots whose names leave it out. */
export interface NodePlace {
  readonly target?: string | undefined;
  readonly listener?: string | undefined;
}

/** Why a name is not one of a slot. */
export class SlotProblem extends Error {
  override readonly name = "SlotProblem";
  /** The phases that the name asks for; undefined if it does not say. */
  readonly phases: readonly Phase[] | undefined;

  constructor(message: string, phases?: readonly Phase[]) {
    super(message);
    this.phases = phases;
  }
}

/** The phases by the name that a slot calls them, in execution order; `all` is the whole chain. */
export const slotPhases: ReadonlyMap<string, readonly Phase[]> = new Map([
  ["authn", [Phase.AUTHN]],
  ["authz", [Phase.AUTHZ]],
  ["stats", [Phase.STATS]],
  ["unspecified", [Phase.UNSPECIFIED_PHASE]],
  ["all", [Phase.AUTHN, Phase.AUTHZ, Phase.STATS, Phase.UNSPECIFIED_PHASE]],
]);

const prefix = "wasmext/";
const modes: ReadonlyMap<string, Mode> = new Map([
  ["gateway", Mode.CLIENT],
  ["outbound", Mode.CLIENT],
  ["inbound", Mode.SERVER],
]);

/**
 * Reads the name of a slot.
 *
 * Raises a SlotProblem if it is none, or says too little.
 */
export function readSlotName(name: string, node: NodePlace): SlotPlace {
  if (!name.startsWith(prefix)) {
    throw new SlotProblem(`${excerpt(name)} is not the name of a slot; ${wanted}`);
  }
  const [phase = "", listener = node.listener, ...rest] = name.slice(prefix.length).split("/");
  const phases = slotPhases.get(phase);
  if (phases === undefined) {
    const known = [...slotPhases.keys()].join(", ");
    throw new SlotProblem(`${excerpt(name)} names no phase; write one of ${known}`);
  }
  const target = rest.length > 0 ? rest.join("/") : node.target;
  if (target === undefined) {
    const remedy = "name it in the slot, or in node.metadata.wasmext.target";
    throw new SlotProblem(`${excerpt(name)} names no target; ${remedy}`, phases);
  }
  if (!isTarget(target)) {
    throw new SlotProblem(`${excerpt(target)} is not the fqn of a target`, phases);
  }
  const { isGateway } = targetOf(target);
  const text = listener ?? (isGateway ? "gateway" : undefined);
  if (text === undefined) {
    const remedy = "name inbound or outbound in the slot, or in node.metadata.wasmext.listener";
    throw new SlotProblem(`${excerpt(name)} names no listener; ${remedy}`, phases);
  }
  const traffic = trafficOf(text);
  if (traffic === undefined) {
    const remedy = "write gateway, inbound or outbound, with :PORT or without";
    throw new SlotProblem(`${excerpt(text)} is not a listener; ${remedy}`, phases);
  }
  if (isGateway && traffic.mode === Mode.SERVER) {
    const problem = `no inbound traffic of workloads passes the gateway ${target}`;
    throw new SlotProblem(`${problem}; write gateway`, phases);
  }
  return { target, listener: text, traffic, phases };
}

const wanted = `write wasmext/PHASE/LISTENER/TARGET`;

function trafficOf(listener: string): Traffic | undefined {
  const [, side = "", port = "0"] = /^([a-z]+)(?::([1-9]\d{0,4}))?$/.exec(listener) ?? [];
  const mode = modes.get(side);
  return mode === undefined || Number(port) > 65_535 ? undefined : { mode, port: Number(port) };
}
