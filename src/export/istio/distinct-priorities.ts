import type { WasmExtension_PluginPhase as Phase } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";

const maxInt32 = 0x7fffffff;

/**
 * The priorities to write for a chain: strictly descending inside a phase, so that nothing is left to
 * the age of the objects. Each is the link's own, or as little above it as keeps it before the next;
 * where that would be more than an int32 holds, those that follow go down instead.
 *
 * @param links - in the order in which they run
 */
export function distinctPriorities(
  links: readonly { readonly phase: Phase; readonly priority: number }[],
): number[] {
  const written: number[] = [];
  for (const { phase, priority } of links.toReversed()) {
    const next = links[links.length - written.length];
    const floor = next?.phase === phase ? (written[0] ?? 0) + 1 : -Infinity;
    written.unshift(Math.max(priority, floor));
  }
  let ceiling = maxInt32;
  return written.map((priority, index) => {
    if (links[index - 1]?.phase !== links[index]?.phase) {
      ceiling = maxInt32;
    }
    const distinct = Math.min(priority, ceiling);
    ceiling = distinct - 1;
    return distinct;
  });
}
