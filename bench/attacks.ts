/*
 * What a client does that wants to keep others from being served. A worker, so that it does not take the
 * time of those who are measured.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { callHead, flags, frame, openRaw, reset } from "../test/support/frames.ts";

/** What a client does: keeps silent, or resets as many calls in one write. */
export type Attack = "silence" | number;

const { attack, port } = workerData as { attack: Attack; port: number };

const over = new AbortController();
const isOver = (): boolean => over.signal.aborted;
parentPort?.once("message", () => {
  over.abort();
});
let done = 0;
setTimeout(() => parentPort?.postMessage("begun"), 500);
if (attack === "silence") {
  await keepSilent(500);
} else {
  await openAndReset(attack);
}
parentPort?.postMessage(done);

/** Keeps that many connections open that send nothing. */
async function keepSilent(count: number): Promise<void> {
  const sockets = new Set<Socket>();
  const open = (): void => {
    const socket = connect(port, "127.0.0.1");
    done++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => {
      sockets.delete(socket);
      if (!isOver()) {
        open();
      }
    });
  };
  for (let index = 0; index < count; index++) {
    open();
  }
  while (!isOver()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  sockets.forEach((socket) => socket.destroy());
}

/** Opens and resets calls as fast as the server reads, and connects again when it is cut off. */
async function openAndReset(callsInWrite: number): Promise<void> {
  const head = callHead(`/${WasmExtensions.typeName}/GetWasmExtension`);
  while (!isOver()) {
    const connection = openRaw(port);
    await Promise.race([once(connection.socket, "data"), once(connection.socket, "close")]);
    for (let stream = 1; !connection.hasEnded() && !isOver();) {
      const calls: Uint8Array[] = [];
      for (let index = 0; index < callsInWrite; index++, stream += 2) {
        const block = stream === 1 ? head.first : head.further;
        calls.push(frame("HEADERS", flags.endHeaders, stream, block), reset(stream));
      }
      await connection.write(Buffer.concat(calls));
      done += callsInWrite;
    }
    connection.socket.destroy();
  }
}
