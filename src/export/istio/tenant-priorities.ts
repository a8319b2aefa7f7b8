import type { AttachmentSet } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { attachmentSetsUnder } from "../../catalog/reads/attachment-reads.ts";
import { compareExecution, type ExecutionKey } from "../../catalog/state/order.ts";
import { findExtension, type State } from "../../catalog/state/state.ts";
import { distinctPriorities } from "./distinct-priorities.ts";

/** The priority to write for an attachment: of an extension, the `occurrence`th of its target. */
export type WrittenPriority = (namespace: string, extension: string, occurrence: number) => number;

/**
 * The priorities to write for the targets of a tenant. Targets of one namespace may select the same
 * pods, so an extension has the same priority in all of them, and no two extensions of a phase have one
 * in common. They are the same whatever part of the tenant is exported.
 *
 * @param tenant - the tenant's fqn
 */
export function writtenPriorities(state: State, tenant: string): WrittenPriority {
  const levels = new Map<string, Map<string, ExecutionKey>>();
  for (const { message: attachmentSet } of attachmentSetsUnder(state, tenant)) {
    const namespace = namespaceOf(attachmentSet);
    const ofNamespace = levels.get(namespace) ?? new Map<string, ExecutionKey>();
    levels.set(namespace, ofNamespace);
    for (const [fqn, occurrence] of occurrencesIn(attachmentSet)) {
      const extension = findExtension(state, fqn)?.message;
      if (extension !== undefined) {
        const { phase, priority } = extension;
        ofNamespace.set(`${fqn} ${occurrence}`, { fqn, phase, priority });
      }
    }
  }
  const written = new Map<string, ReadonlyMap<string, number>>();
  for (const [namespace, ofNamespace] of levels) {
    // The sort is stable, and of one extension the first attachment of a target came first.
    const ordered = [...ofNamespace].toSorted(([, a], [, b]) => compareExecution(a, b));
    const priorities = distinctPriorities(ordered.map(([, key]) => key));
    written.set(
      namespace,
      new Map(ordered.map(([name, key], index) => [name, priorities[index] ?? key.priority])),
    );
  }
  return (namespace, extension, occurrence) => {
    const priority = written.get(namespace)?.get(`${extension} ${occurrence}`);
    if (priority === undefined) {
      throw new Error(`${extension} is not attached in the namespace ${namespace} of ${tenant}`);
    }
    return priority;
  };
}

/** The attached extensions in the order of the set, each with the number of its earlier attachments. */
export function occurrencesIn({ extension }: AttachmentSet): [string, number][] {
  const seen = new Map<string, number>();
  return extension.map(({ fqn }) => {
    const count = seen.get(fqn) ?? 0;
    seen.set(fqn, count + 1);
    return [fqn, count];
  });
}

/** The namespace of a target's workloads; empty if it has none. */
export function namespaceOf({ workloadSelector }: AttachmentSet): string {
  return workloadSelector?.namespace ?? "";
}
