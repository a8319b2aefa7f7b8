import { setImmediate } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { allGrants, anyone, type Principal } from "../../src/catalog/access/principal.ts";
import { notFound } from "../../src/catalog/errors.ts";
import { createTurns } from "../../src/catalog/state/turns.ts";
import type { Source } from "../../src/catalog/watch/source.ts";
import type { Answer } from "../../src/methods/answer.ts";
import { Interrupted } from "../../src/methods/interrupted.ts";
import { iterate } from "../../src/methods/iterate.ts";
import type { StreamMethod } from "../../src/methods/method.ts";
import { createOpenWatches } from "../../src/methods/open-watches.ts";
import { openStream } from "../../src/methods/open-stream.ts";
import { createAcme } from "../support/acme.ts";

const never = (): boolean => false;

/** A source of what is put into it, and whoever has subscribed to it. */
function createQueue() {
  const items: string[] = [];
  const subscribers = new Set<() => void>();
  const source: Source<Answer<string>> = {
    dueAt: Infinity,
    read: () => answerOf(items.shift()) ?? "caught-up",
    subscribe(notify) {
      subscribers.add(notify);
      return () => subscribers.delete(notify);
    },
    last: () => (items.length > 0 ? answerOf(items.splice(0).join()) : undefined),
    position: { next: "7" },
  };
  const put = (item: string): void => {
    items.push(item);
    subscribers.forEach((notify) => {
      notify();
    });
  };
  return { source, put, subscribers };
}

function answerOf(item: string | undefined): Answer<string> | undefined {
  return item === undefined ? undefined : { message: () => item, bytes: () => Buffer.from(item) };
}

/** Opens a stream of a caller that may have one open. */
function open(source: () => Source<Answer<string>>, principal: Principal = anyone) {
  const { reader, journal } = createAcme();
  const watches = createOpenWatches(1);
  const method: StreamMethod<string, string> = {
    accept: (request) => request,
    access: { permission: "READ", resource: (request) => request },
    handle: source,
  };
  const call = { reader, journal, principal, method: "Test", bookmarkIntervalMs: 1_000, watches };
  return {
    open: () => openStream(method, "organizations/acme", call),
    turns: reader.turns,
    hasPlace: () => {
      try {
        watches.open(call)();
        return true;
      } catch {
        return false;
      }
    },
  };
}

const messageOf = (read: Answer<string> | "more" | "caught-up"): string =>
  typeof read === "string" ? read : read.message();

test("a stream that is interrupted sends what is left, says where to go on, and lets go of all", () => {
  const { source, put, subscribers } = createQueue();
  const opened = open(() => source);
  const stream = opened.open();
  let notified = 0;
  stream.subscribe(() => notified++);
  expect(opened.hasPlace()).toBe(false);
  put("a");
  put("b");
  expect(messageOf(stream.read(never))).toBe("a");
  stream.interrupt(new Error("first"));
  stream.interrupt(new Error("second"));
  expect(notified).toBe(3);
  expect(subscribers.size).toBe(0);
  expect(opened.hasPlace()).toBe(true);
  expect(messageOf(stream.read(never))).toBe("b");
  for (let time = 0; time < 2; time++) {
    expect(() => stream.read(never)).toThrow(
      expect.objectContaining({ reason: new Error("first"), metadata: { next: "7" } }),
    );
  }
  stream.close();
  stream.subscribe(() => notified++);
  expect([subscribers.size, notified]).toEqual([0, 3]);
});

test("a stream that cannot be opened has no place", () => {
  const opened = open(() => {
    throw new Error("out of range");
  });
  expect(() => opened.open()).toThrow("out of range");
  expect(opened.hasPlace()).toBe(true);
});

test("a stream ends with the credentials of its caller", () => {
  vi.useFakeTimers();
  try {
    const { source } = createQueue();
    const principal = { ...anyone, expiresAt: Date.now() + 5_000 };
    const opened = open(() => source, principal);
    const stream = opened.open();
    expect(stream.dueAt).toBe(performance.now() + 5_000);
    expect(stream.read(never)).toBe("caught-up");
    vi.advanceTimersByTime(5_000);
    expect(() => stream.read(never)).toThrow(Interrupted);
    expect(opened.hasPlace()).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test("a stream ends when the grants of its caller change", () => {
  const { source } = createQueue();
  let change = (): void => undefined;
  let grants = allGrants;
  const opened = open(() => source, {
    ...anyone,
    get grants() {
      return grants;
    },
    subscribe(notify) {
      change = notify;
      return () => {
        change = () => undefined;
      };
    },
  });
  const stream = opened.open();
  grants = [];
  let notified = 0;
  stream.subscribe(() => notified++);
  change();
  change();
  expect(notified).toBe(1);
  expect(() => stream.read(never)).toThrow(
    new Interrupted(notFound("organizations/acme"), { next: "7" }),
  );
});

test("an iteration of a stream ends with the signal, whether it is read or not", async () => {
  for (const isRead of [true, false]) {
    const { source, put, subscribers } = createQueue();
    const opened = open(() => source);
    const controller = new AbortController();
    const items = iterate(opened.open(), controller.signal, opened.turns);
    if (isRead) {
      const first = items.next();
      put("a");
      expect((await first).value?.message()).toBe("a");
    }
    const next = isRead ? items.next() : undefined;
    await setImmediate();
    controller.abort(new Error("over"));
    expect(opened.hasPlace()).toBe(true);
    expect(subscribers.size).toBe(0);
    await expect(next ?? items.next()).rejects.toThrow(Interrupted);
  }
});

test("an iteration of a stream whose credentials last for months waits for them", async () => {
  vi.useFakeTimers();
  try {
    const { source } = createQueue();
    let reads = 0;
    const counted = { ...source, read: () => (reads++, "caught-up" as const) };
    const month = 31 * 24 * 3_600_000;
    const opened = open(() => counted, { ...anyone, expiresAt: Date.now() + 2 * month });
    const items = iterate(opened.open(), new AbortController().signal, opened.turns);
    const ending = expect(items.next()).rejects.toThrow(Interrupted);
    await vi.advanceTimersByTimeAsync(2 * month - 1);
    expect(reads).toBeLessThan(10);
    await vi.advanceTimersByTimeAsync(1);
    await ending;
  } finally {
    vi.useRealTimers();
  }
});

test("an iteration of a stream takes a turn when the source gives one back", async () => {
  const { source } = createQueue();
  let reads = 0;
  const opened = open(() => ({
    ...source,
    read: () => (++reads < 5 ? "more" : (answerOf("last") ?? "more")),
  }));
  const turns = createTurns();
  const next = vi.spyOn(turns, "next");
  const items = iterate(opened.open(), new AbortController().signal, turns);
  expect((await items.next()).value?.message()).toBe("last");
  expect(next).toHaveBeenCalledTimes(4);
  await items.return();
  expect(opened.hasPlace()).toBe(true);
});
