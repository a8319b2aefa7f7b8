/*
 * Limits of each HTTP/2 connection by itself. Floods of PING, SETTINGS, CONTINUATION, empty DATA and
 * unknown frames are ended by nghttp2 and by Node.
 */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";

/**
 * How many streams clients may give up on one HTTP/2 connection: at once, and in each second after that.
 * Node's own rate, 33 a second, ends the connections of proxies, with the calls of all of their clients.
 */
export const resets = { burst: 3_000, perSecond: 1_000 };

/** What Node is told: it counts, too, and does not say of a connection that it has ended why. */
export const resetsForNode = { streamResetBurst: 10_000, streamResetRate: resets.perSecond };

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
 * client opens streams to give them up.
 *
 * @param onFlood - is called when the client has opened too many to give them up
 * @param now - milliseconds since any fixed time
 */
export function limitSession(
  session: ServerHttp2Session,
  { idleMs, onFlood, now }: { idleMs: number; onFlood: () => void; now: () => number },
): void {
  let open = 0;
  let begunInTurn = 0;
  let hasFlooded = false;
  /** How many streams may be given up now. */
  let left = resets.burst;
  let countedAt = now();
  const giveUp = (): void => {
    const at = now();
    left = Math.min(resets.burst, left + ((at - countedAt) / 1_000) * resets.perSecond) - 1;
    countedAt = at;
    if (left < 0) {
      end();
    }
  };
  const end = (): void => {
    if (!hasFlooded) {
      hasFlooded = true;
      onFlood();
      const flood = new Error("streams are opened and given up");
      session.destroy(flood, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
  };
  const nextTurn = (): void => {
    begunInTurn = 0;
  };
  session.on("stream", (stream: ServerHttp2Stream) => {
    if (begunInTurn === 0) {
      setImmediate(nextTurn);
    }
    open++;
    begunInTurn++;
    stream.once("close", () => {
      open--;
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
        giveUp();
      }
    });
    if (begunInTurn - open > maxGivenUpInTurn) {
      end();
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
