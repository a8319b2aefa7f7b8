/** One direction of a connection: what comes out is what went in, in order. */
export interface Pipe {
  /** Sends a chunk, or the end of the connection if it is undefined. */
  push(chunk: Buffer | undefined): void;
  /** Looks again at whether anything may come out. */
  flow(): void;
  /** Loses what has not come out. */
  clear(): void;
}

/** What holds and delays the pipes of a link. */
export interface Valve {
  readonly isOpen: boolean;
  readonly delayMs: number;
}

/** Creates a pipe that delivers while the valve is open, and after its delay. */
export function createPipe(valve: Valve, deliver: (chunk: Buffer | undefined) => void): Pipe {
  const held: { readonly chunk: Buffer | undefined; readonly dueAt: number }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flow = (): void => {
    clearTimeout(timer);
    for (let first = held[0]; first !== undefined && valve.isOpen; first = held[0]) {
      const waitMs = first.dueAt - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(flow, waitMs);
        return;
      }
      held.shift();
      deliver(first.chunk);
    }
  };
  return {
    push(chunk) {
      held.push({ chunk, dueAt: performance.now() + valve.delayMs });
      flow();
    },
    flow,
    clear() {
      clearTimeout(timer);
      held.length = 0;
    },
  };
}
