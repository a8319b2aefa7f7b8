import { WasmExtension_PluginPhase as Phase } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";

/** The sort key of the execution order. */
export interface ExecutionKey {
  readonly phase: Phase;
  /** int32; higher runs first. */
  readonly priority: number;
  readonly fqn: string;
}

/** The phases in the order in which a request passes them. */
const phases: readonly Phase[] = [Phase.AUTHN, Phase.AUTHZ, Phase.STATS, Phase.UNSPECIFIED_PHASE];
/** The place of each phase in that order, by the number of the phase. */
const ranks = [Phase.UNSPECIFIED_PHASE, Phase.AUTHN, Phase.AUTHZ, Phase.STATS].map((phase) =>
  phases.indexOf(phase),
);

/**
 * The execution order: phase, then priority descending, then fqn ascending by code point. A chain that has
 * an extension twice goes on by position, see chain.ts.
 */
export function compareExecution(a: ExecutionKey, b: ExecutionKey): number {
  return rankOf(a) - rankOf(b) || b.priority - a.priority || compareText(a.fqn, b.fqn);
}

/** The least key: the first phase, the highest priority, the least name. */
export const firstExecutionKey: ExecutionKey = {
  phase: Phase.AUTHN,
  priority: 0x7fffffff,
  fqn: "",
};

/** Compares names, whose characters are all ASCII, by code point. */
export function compareText(a: string, b: string): number {
  // Names of one organization begin alike: equality of equal names is found faster than by a second "<".
  return a < b ? -1 : a === b ? 0 : 1;
}

function rankOf({ phase }: ExecutionKey): number {
  return ranks[phase] ?? phases.length;
}
