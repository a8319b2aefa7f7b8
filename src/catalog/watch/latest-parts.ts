import type { Viewer } from "../access/viewer.ts";
import type { State } from "../state/state.ts";
import { changeMessage, type WatchMessage } from "./message.ts";
import { statePart, type StatePosition } from "./state-part.ts";
import { asSeen } from "./view.ts";

/** A part of the state of a scope as it is sent to watchers. */
export interface SentPart {
  /** Undefined if the part holds nothing. */
  readonly message: WatchMessage | undefined;
  /** Where the next part begins; undefined if this is the last. */
  readonly next: StatePosition | undefined;
}

/** Which part is read. */
export interface PartQuestion {
  /** The fqn of an organization or of a tenant. */
  readonly scope: string;
  readonly viewer: Viewer;
  readonly incarnation: string;
  /** Where the part before has ended; undefined for the first part. */
  readonly after?: StatePosition | undefined;
}

/**
 * A cache of the parts of states that were read last. Many watchers begin at the same time, when a server has
 * started or a connection was lost, and read the same.
 */
export interface LatestParts {
  /** A part of a state. */
  read(state: State, question: PartQuestion): SentPart;
}

/** How many parts are kept: each may be as large as a message. */
const maxParts = 4;

/** Creates an empty cache. */
export function createLatestParts(): LatestParts {
  /** The one that was made last at the end. A reference to a state would keep it in memory. */
  const parts = new Map<string, { readonly of: WeakRef<State>; readonly part: SentPart }>();
  return {
    read(state, question) {
      const { scope, viewer, incarnation, after } = question;
      const place = after === undefined ? "" : `${after.kind} ${after.fqn}`;
      const key = `${incarnation} ${scope} ${viewer.key} ${place}`;
      const known = parts.get(key);
      if (known?.of.deref() === state) {
        return known.part;
      }
      const part = partOf(state, question);
      parts.delete(key);
      parts.set(key, { of: new WeakRef(state), part });
      const [oldest] = parts.keys();
      if (parts.size > maxParts && oldest !== undefined) {
        parts.delete(oldest);
      }
      return part;
    },
  };
}

function partOf(state: State, { scope, viewer, incarnation, after }: PartQuestion): SentPart {
  const { seen, next } = statePart(state, scope, after);
  const events = seen.map((each) => asSeen(each, viewer));
  const message =
    events.length > 0 ? changeMessage(state.revision, incarnation, events) : undefined;
  return { message, next };
}
