/* Creations over gRPC, each of another name. */
import { createCall, nameDigits } from "./calls.ts";
import { type FrameConnection, openFrames } from "./frames.ts";
import { prepareCall } from "./prepared-call.ts";

const connectionCount = 4;
const streamsEach = 16;

/**
 * Creates extensions; returns how many a second. Rejects if one of them was refused.
 *
 * @param prefix - what the names begin with, so that they differ from those of another load
 */
export async function loadCreates(
  port: number,
  { prefix, count, headers }: { prefix: string; count: number; headers: Record<string, string> },
): Promise<number> {
  const zeros = "0".repeat(nameDigits);
  const call = createCall(`${prefix}${zeros}`);
  const prepared = prepareCall({ ...call, headers: { ...call.headers, ...headers } });
  const digitsAt = prepared.bytes.indexOf(`${prefix}${zeros}`, prepared.bodyAt) + prefix.length;
  const done = Promise.withResolvers<undefined>();
  let [sent, answered] = [0, 0];
  const sendNext = (connection: FrameConnection | undefined): void => {
    if (sent < count) {
      prepared.bytes.write(String(sent++).padStart(nameDigits, "0"), digitsAt, "latin1");
      connection?.send(prepared);
    }
  };
  const connections: FrameConnection[] = [];
  for (let index = 0; index < connectionCount; index++) {
    const connection = await openFrames(port, {
      onMessage: () => undefined,
      onEnd(messages) {
        // A refusal has no message.
        if (messages !== 1) {
          done.reject(new Error("a creation was refused"));
        }
        if (++answered === count) {
          done.resolve(undefined);
        }
        sendNext(connection);
      },
      onFailure: done.reject,
    });
    connections.push(connection);
  }
  const startedAt = performance.now();
  for (let index = 0; index < connectionCount * streamsEach; index++) {
    sendNext(connections[index % connectionCount]);
  }
  try {
    await done.promise;
    return count / ((performance.now() - startedAt) / 1000);
  } finally {
    for (const connection of connections) {
      connection.close();
    }
  }
}
