import type { Socket } from "node:net";
import { maxGivenUpInTurn } from "./sessions.ts";

/** What a client with prior knowledge of HTTP/2 sends first (RFC 9113, section 3.4). */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** The protocols that a connection can turn out to speak. */
export type Protocol = "http1" | "http2";

/**
 * Reads as much of a connection as tells HTTP/2 from HTTP/1.1, puts it back, and calls back once.
 * A connection that does not show its protocol in time, fails, or ends before is destroyed.
 *
 * @param onFlood - is called when it begins with streams that are given up at once
 */
export function chooseProtocol(
  socket: Socket,
  { timeoutMs, onFlood }: { timeoutMs: number; onFlood: () => void },
  chosen: (protocol: Protocol) => void,
): void {
  let head = Buffer.alloc(0);
  const timer = setTimeout(giveUp, timeoutMs);
  socket.on("readable", look);
  socket.on("end", giveUp);
  socket.on("error", giveUp);
  socket.on("close", stop);

  function look(): void {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      return;
    }
    head = Buffer.concat([head, chunk]);
    const length = Math.min(head.length, preface.length);
    const isPreface = head.compare(preface, 0, length, 0, length) === 0;
    if (isPreface && length < preface.length) {
      return;
    }
    if (isPreface && resetsIn(head.subarray(preface.length)) > maxGivenUpInTurn) {
      onFlood();
      giveUp();
      return;
    }
    stop();
    socket.unshift(head);
    chosen(isPreface ? "http2" : "http1");
  }

  function giveUp(): void {
    stop();
    // Keeps a late error of the socket from being unhandled.
    socket.on("error", () => undefined);
    socket.destroy();
  }

  function stop(): void {
    clearTimeout(timer);
    socket.off("readable", look);
    socket.off("end", giveUp);
    socket.off("error", giveUp);
    socket.off("close", stop);
  }
}

/**
 * How many streams are given up in what has come after the preface. Node takes all of that in before it says
 * that a stream has begun, so a session cannot be ended in between.
 */
function resetsIn(frames: Buffer): number {
  const [frameHead, typeAt, rstStream] = [9, 3, 3];
  let resets = 0;
  for (let at = 0; at + frameHead <= frames.length; at += frameHead + frames.readUIntBE(at, 3)) {
    if (frames[at + typeAt] === rstStream) {
      resets++;
    }
  }
  return resets;
}
