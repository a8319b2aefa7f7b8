/*
 * How calls with a stream of answers are opened: accepted, authorized and counted. Every front end goes
 * through here, and reads the stream at its own pace.
 */
import { credentialsExpired, grantsChanged } from "../catalog/errors.ts";
import type { Source } from "../catalog/watch/source.ts";
import type { Answer } from "./answer.ts";
import { authorize } from "./authorize.ts";
import { Interrupted } from "./interrupted.ts";
import type { StreamCall, StreamMethod } from "./method.ts";

/** A stream that a caller has open. */
export interface OpenStream<Item> extends Source<Item> {
  /** Ends it: what is read after its last item raises Interrupted, with the reason. The first reason counts. */
  interrupt(reason: unknown): void;
  /** Lets go of all that it has subscribed to. To be called at its end, however it ends. */
  close(): void;
}

/**
 * Opens a stream. It is interrupted when the caller may no longer have it: its credentials expire, or its
 * grants change.
 */
export function openStream<Request, Response>(
  method: StreamMethod<Request, Response>,
  request: Request,
  call: StreamCall,
): OpenStream<Answer<Response>> {
  const { principal, reader, watches } = call;
  const { access } = method;
  const accepted = method.accept(request);
  authorize(access, accepted, principal, reader.state);
  const release = watches?.open(call) ?? nothing;
  try {
    const source = method.handle(accepted, call);
    const stream = new Opened(source, release, expiryOf(principal.expiresAt));
    stream.leaveGrants = principal.subscribe(() => {
      try {
        authorize(access, accepted, principal, reader.state);
        // The caller may now see more, or less, than has been sent.
        stream.interrupt(grantsChanged());
      } catch (error) {
        stream.interrupt(error);
      }
    });
    return stream;
  } catch (error) {
    release();
    throw error;
  }
}

const nothing = (): void => undefined;

/** A time of the day on the clock of `performance.now`. */
function expiryOf(expiresAt: number): number {
  return expiresAt === Infinity ? Infinity : performance.now() + (expiresAt - Date.now());
}

/** A class, since a server has thousands of them, and most have nothing to read. */
class Opened<Item> implements OpenStream<Item> {
  readonly #source: Source<Item>;
  readonly #release: () => void;
  readonly #expiresAt: number;
  /** Ends the subscription to the grants of the caller. */
  leaveGrants = nothing;
  #leaveSource = nothing;
  #notify = nothing;
  #interruption: { readonly reason: unknown } | undefined;
  #isClosed = false;

  constructor(source: Source<Item>, release: () => void, expiresAt: number) {
    this.#source = source;
    this.#release = release;
    this.#expiresAt = expiresAt;
  }

  get dueAt(): number {
    return Math.min(this.#source.dueAt, this.#expiresAt);
  }

  read(isOver: () => boolean): Item | "more" | "caught-up" {
    if (this.#expiresAt !== Infinity && performance.now() >= this.#expiresAt) {
      this.interrupt(credentialsExpired());
    }
    if (this.#interruption === undefined) {
      return this.#source.read(isOver);
    }
    const last = this.#source.last?.();
    if (last === undefined) {
      throw new Interrupted(this.#interruption.reason, this.#source.position ?? {});
    }
    return last;
  }

  subscribe(notify: () => void): () => void {
    this.#notify = notify;
    this.#leaveSource = this.#isClosed ? nothing : this.#source.subscribe(notify);
    return () => {
      this.#leave();
    };
  }

  interrupt(reason: unknown): void {
    if (this.#interruption === undefined) {
      this.#interruption = { reason };
      const notify = this.#notify;
      this.close();
      notify();
    }
  }

  close(): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#leave();
      this.#release();
      this.leaveGrants();
    }
  }

  #leave(): void {
    this.#notify = nothing;
    this.#leaveSource();
    this.#leaveSource = nothing;
  }
}
