import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  createUnreadAnswers,
  type Hold,
  type UnreadAnswers,
} from "../../src/transport/answer/unread-answers.ts";
import type { Exchange } from "../../src/transport/exchange.ts";

const limits = { connectionBytes: 100, totalBytes: 250, stallMs: 1_000, answerMs: 5_000 };

/** An exchange as far as it is looked at: which connection it is on, and how far it is. */
function exchangeOn(
  connection: object,
): Omit<Exchange, "isGone" | "isQueued"> & { isGone: boolean; isQueued: boolean } {
  return { connection, isGone: false, isQueued: false } as never;
}

describe("what waits to be read", () => {
  let nowMs: number;
  let unread: UnreadAnswers;
  let ended: string[];
  const [a, b, c] = [{}, {}, {}];

  beforeEach(() => {
    nowMs = 0;
    ended = [];
    unread = createUnreadAnswers(limits, () => nowMs);
  });

  function hold(name: string, connection: object, bytes: number, isWhole = true): Hold | undefined {
    const exchange = exchangeOn(connection);
    const end = (): void => void ended.push(name);
    const shutDown = (): void => void ended.push(`${name} shut down`);
    return unread.hold({ exchange, bytes, isWhole, end, shutDown });
  }

  test("is bounded for a connection", () => {
    expect(hold("first", a, 60)).toBeDefined();
    expect(hold("second", a, 60)).toBeUndefined();
    expect(hold("other connection", b, 60)).toBeDefined();
    expect(hold("small", a, 40)).toBeDefined();
    expect(unread.bytes).toBe(160);
    expect(ended).toEqual([]);
  });

  test("may be one answer alone, however large", () => {
    expect(hold("large", a, 1_000)).toBeDefined();
    expect(hold("next", a, 1)).toBeUndefined();
  });

  test("is no more when it has been read", () => {
    hold("first", a, 100)?.release();
    expect(unread.bytes).toBe(0);
    expect(hold("second", a, 100)).toBeDefined();
  });

  test("is bounded in all: the connection that holds most loses its oldest", () => {
    hold("a1", a, 60);
    hold("a2", a, 40);
    hold("b1", b, 90);
    expect(hold("c1", c, 61)).toBeDefined();
    expect(ended).toEqual(["a1"]);
    expect(unread.bytes).toBe(191);
  });

  test("is refused to the connection that holds most itself", () => {
    hold("a1", a, 100);
    hold("b1", b, 99);
    expect(hold("c1", c, 120)).toBeUndefined();
    expect(ended).toEqual([]);
  });

  test("counts messages of streams, and does not refuse them for their connection alone", () => {
    for (let index = 0; index < 4; index++) {
      expect(hold(`stream ${index}`, a, 50, false)).toBeDefined();
    }
    expect(unread.bytes).toBe(200);
    expect(hold("unary", a, 10)).toBeUndefined();
    expect(hold("honest", b, 100)).toBeDefined();
    expect(ended).toEqual(["stream 0"]);
  });

  test("is given up when it stands still, once it is its turn to be read", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const pass = (ms: number): void => {
      nowMs += ms;
      vi.advanceTimersByTime(ms);
    };
    const [first, second] = [exchangeOn(a), exchangeOn(a)];
    second.isQueued = true;
    const hold = (exchange: Exchange, name: string): Hold | undefined => {
      const end = (): void => void ended.push(name);
      return unread.hold({ exchange, bytes: 10, isWhole: true, end, shutDown: end });
    };
    const held = hold(first, "first");
    hold(second, "second");
    for (let read = 0; read < 2; read++) {
      pass(750);
      held?.progress();
    }
    expect(ended).toEqual([]);
    held?.release();
    second.isQueued = false;
    pass(750);
    expect(ended).toEqual([]);
    pass(500);
    expect(ended).toEqual(["second"]);
  });

  test("of streams is given up when the server goes down", () => {
    hold("unary", a, 10);
    hold("stream", a, 10, false);
    unread.shutDownStreams();
    expect(ended).toEqual(["stream shut down"]);
    expect(unread.bytes).toBe(10);
  });

  test("of a client that is gone does not count against its connection", () => {
    const exchange = exchangeOn(a);
    const none = (): void => undefined;
    unread.hold({ exchange, bytes: 100, isWhole: true, end: none, shutDown: none });
    expect(hold("next", a, 50)).toBeUndefined();
    exchange.isGone = true;
    expect(hold("next", a, 50)).toBeDefined();
    expect(unread.bytes).toBe(50);
  });
});
