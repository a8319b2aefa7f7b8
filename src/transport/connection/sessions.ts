/*
 * Limits of each HTTP/2 connection by itself. Floods of PING, SETTINGS, CONTINUATION, empty DATA and
 * unknown frames are ended by nghttp2 and by Node.
 */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";

/**
 * How many streams clients may give up on one HTTP/2 connection: at once, and in each second after that.
 * Node's own rate, 33 a second, ends the connections of proxies, with the calls of all of their clients.
 */
export const resets = { streamResetBurst: 10_000, streamResetRate: 1_000 };

/**
 * How many streams a client may open and give up in one turn of the event loop, before the server has looked
 * at any of them. Node accepts tens of thousands in a turn, each at a cost.
 */
export const maxGivenUpInTurn = 250;

/**
 * How much Node may hold for one HTTP/2 connection, in MB, before it refuses further streams. Each open
 * stream may have a slice of its answer there, of 16 KiB, and Node's own bookkeeping.
 */
export const maxSessionMemory = 64;

/**
 * Ends an HTTP/2 connection on which nothing has happened for long and no stream is open, and one whose
 * client opens streams to give them up at once.
 */
export function limitSession(session: ServerHttp2Session, idleMs: number): void {
  let open = 0;
  let begunInTurn = 0;
  const nextTurn = (): void => {
    begunInTurn = 0;
  };
  session.on("stream", (stream: ServerHttp2Stream) => {
    if (begunInTurn === 0) {
      setImmediate(nextTurn);
    }
    open++;
    begunInTurn++;
    stream.once("close", () => open--);
    if (begunInTurn - open > maxGivenUpInTurn) {
      const flood = new Error("streams are opened and given up at once");
      session.destroy(flood, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
  });
  session.setTimeout(idleMs, () => {
    if (open === 0) {
      endIdle(session);
    }
  });
}

/** How long a client may take to end a connection that we have ended, in ms. */
const lingerMs = 500;

/** Ends a connection without a stream. One with half a head would wait for the rest of it. */
export function endIdle(session: ServerHttp2Session): void {
  session.close();
  setTimeout(() => {
    session.destroy();
  }, lingerMs).unref();
}
