import { attachmentSetsUnder } from "../reads/attachment-reads.ts";
import type { Change } from "../state/commit.ts";
import { extensionsOf } from "../reads/extension-reads.ts";
import { findExtension, type State } from "../state/state.ts";
import type { SeenChange } from "./view.ts";

/** A place in the walk over the state of a scope: after an object that has been sent. */
export interface StatePosition {
  readonly kind: "extension" | "attachment-set";
  readonly fqn: string;
}

/** A part of the state of a scope, as changes, and where the next part begins. */
export interface StatePart {
  readonly seen: readonly SeenChange[];
  /** Undefined if this part is the last. */
  readonly next: StatePosition | undefined;
}

/**
 * The greatest encoded size of a part of a state: far less than the 4 MiB that most gRPC clients accept.
 * A larger object is sent alone.
 */
const maxPartBytes = 512 * 1024;

/** Reads a part of the state of a scope: from the beginning, or after a position. */
export function statePart(state: State, scope: string, after?: StatePosition): StatePart {
  const seen: SeenChange[] = [];
  let bytes = 0;
  let last = after;
  for (const { position, change, size } of walk(state, scope, after)) {
    bytes += size;
    if (bytes > maxPartBytes && seen.length > 0) {
      return { seen, next: last };
    }
    seen.push({ change, view: "put" });
    last = position;
  }
  return { seen, next: undefined };
}

interface Step {
  readonly position: StatePosition;
  readonly change: Change;
  /** The encoded size of the object, in bytes. */
  readonly size: number;
}

/** Extensions in execution order, then attachment sets by fqn. */
function* walk(state: State, scope: string, after?: StatePosition): Generator<Step, void> {
  if (after?.kind !== "attachment-set") {
    const last = after && findExtension(state, after.fqn)?.message;
    for (const extension of extensionsOf(state, scope, last)) {
      const { fqn } = extension.message;
      yield {
        position: { kind: "extension", fqn },
        change: { kind: "put-extension", fqn, extension },
        size: extension.bytes.byteLength,
      };
    }
  }
  const last = after?.kind === "attachment-set" ? after.fqn : undefined;
  for (const attachmentSet of attachmentSetsUnder(state, scope, last)) {
    const { fqn } = attachmentSet.message;
    yield {
      position: { kind: "attachment-set", fqn },
      change: { kind: "put-attachments", fqn, attachmentSet },
      size: attachmentSet.bytes.byteLength,
    };
  }
}
