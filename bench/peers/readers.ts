import type { Call } from "./calls.ts";
import { type FrameConnection, openFrames } from "./frames.ts";
import { prepareCall } from "./prepared-call.ts";

/** Open watches. */
export interface Readers {
  /** Resolves when all of them together have received a number of messages. Rejects if one has ended. */
  received(messages: number): Promise<void>;
  close(): void;
}

/** Opens watches, the same number on each connection. */
export async function openReaders(
  port: number,
  call: Call,
  { streams, connections: connectionCount }: { streams: number; connections: number },
): Promise<Readers> {
  const prepared = prepareCall(call);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  let total = 0;
  let waiting = { messages: Infinity, resolve: (): void => undefined };
  const listener = {
    onMessage(): void {
      if (++total === waiting.messages) {
        waiting.resolve();
      }
    },
    onEnd(): void {
      failed.reject(new Error("a watch has ended"));
    },
    onFailure: failed.reject,
  };
  const connections: FrameConnection[] = [];
  for (let index = 0; index < connectionCount; index++) {
    const connection = await openFrames(port, listener);
    connections.push(connection);
    for (let stream = 0; stream < streams / connectionCount; stream++) {
      connection.send(prepared);
    }
  }
  return {
    async received(messages) {
      const reached = new Promise<void>((resolve) => {
        waiting = { messages, resolve };
      });
      await Promise.race([total >= messages ? undefined : reached, failed.promise]);
    },
    close() {
      for (const connection of connections) {
        connection.close();
      }
    },
  };
}
