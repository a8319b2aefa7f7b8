import { Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { coolOffMs, createCoolOff } from "../../src/transport/connection/cool-off.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const now = (): number => performance.now();

function socketOf(remoteAddress: string): Socket {
  return Object.defineProperty(new Socket(), "remoteAddress", { value: remoteAddress });
}

test("connections wait after a flood from their address, longer after each, and others do not", () => {
  const coolOff = createCoolOff(now);
  const served: string[] = [];
  const admit = (address: string, name: string): Socket => {
    const socket = socketOf(address);
    coolOff.admit(socket, () => served.push(name));
    return socket;
  };
  admit("a", "before");
  coolOff.add("a");
  admit("a", "first");
  const gone = admit("a", "gone");
  admit("a", "second");
  admit("b", "other");
  gone.emit("close");
  expect(served).toEqual(["before", "other"]);
  vi.advanceTimersByTime(coolOffMs.first + 1);
  expect(served).toEqual(["before", "other", "first"]);
  vi.advanceTimersByTime(100);
  expect(served).toEqual(["before", "other", "first", "second"]);
  admit("a", "third");
  expect(served).toContain("third");

  for (let flood = 0; flood < 10; flood++) {
    coolOff.add("a");
  }
  admit("a", "last");
  vi.advanceTimersByTime(coolOffMs.most - 100);
  expect(served).not.toContain("last");
  vi.advanceTimersByTime(200);
  expect(served).toContain("last");
});

test("an address is forgotten a minute after its last flood", () => {
  const coolOff = createCoolOff(now);
  for (let flood = 0; flood < 10; flood++) {
    coolOff.add("a");
  }
  vi.advanceTimersByTime(61_000);
  coolOff.add("a");
  const serve = vi.fn();
  coolOff.admit(socketOf("a"), serve);
  vi.advanceTimersByTime(coolOffMs.first + 1);
  expect(serve).toHaveBeenCalledTimes(1);
});
