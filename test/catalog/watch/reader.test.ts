import { everything } from "../../../src/catalog/access/viewer.ts";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WatchResponseSchema } from "../../../gen/wasmext/v1/watch_service_pb.ts";
import type { Commit } from "../../../src/catalog/state/commit.ts";
import { CatalogError } from "../../../src/catalog/errors.ts";
import { isInScope } from "../../../src/catalog/state/scope.ts";
import { createStore, type Reader } from "../../../src/catalog/store.ts";
import type { WatchMessage } from "../../../src/catalog/watch/message.ts";
import { createWatchReader, type WatchReader } from "../../../src/catalog/watch/reader.ts";
import { watch } from "../../../src/catalog/watch/watch.ts";
import { acme, type Acme, blue, createAcme, ext, red, redSecurity } from "../../support/acme.ts";
import { catalogOn } from "../../support/journal.ts";
import { storedExtensions } from "../../support/stored.ts";
import { createReplica, eventsOf, follow } from "../../support/watched.ts";

const never = (): boolean => false;
const other = "organizations/other";

function readerOf(
  store: Reader,
  parent: string,
  startRevision = 0n,
  incarnation = "",
): WatchReader {
  return createWatchReader(store, { parent, startRevision, incarnation }, everything);
}

/** Reads all that there is. */
function readAll(reader: WatchReader): WatchMessage[] {
  const messages: WatchMessage[] = [];
  for (let read = reader.read(never); typeof read !== "string"; read = reader.read(never)) {
    messages.push(read);
  }
  return messages;
}

function refusalOf(work: () => unknown): CatalogError["refusal"] {
  try {
    work();
  } catch (error) {
    if (error instanceof CatalogError) {
      return error.refusal;
    }
    throw error;
  }
  throw new Error("expected an error");
}

async function writeElsewhere({ extensions }: Acme, times: number): Promise<void> {
  for (let index = 0; index < times; index++) {
    const parent = `${other}${index}`;
    const wasmExtension = { url: "oci://x" };
    const { fqn } = await extensions.createWasmExtension({ parent, name: "x", wasmExtension });
    await extensions.deleteWasmExtension({ fqn });
  }
}

describe("the next revision of a reader", () => {
  test("is 0 until the bookmark that completes the present state", async () => {
    const catalog = createAcme();
    for (const name of ["a", "b", "c"]) {
      await catalog.put(name, { description: "x".repeat(300_000) });
    }
    const reader = readerOf(catalog.reader, acme);
    for (let part = 0; part < 3; part++) {
      expect(reader.nextRevision).toBe(0n);
      expect(reader.read(never)).toMatchObject({ revision: 3n, bookmark: false });
    }
    expect(reader.nextRevision).toBe(0n);
    expect(reader.read(never)).toMatchObject({ revision: 3n, bookmark: true });
    expect(reader.nextRevision).toBe(4n);
    expect(reader.read(never)).toBe("caught-up");
  });

  test("is 0 when the present state is no longer kept", async () => {
    let now = 0;
    const store = createStore({ now: () => now, snapshots: { maxIdleMs: 1_000 } });
    const catalog = createAcme({ catalog: catalogOn(store) });
    for (const name of ["a", "b", "c"]) {
      await catalog.put(name, { description: "x".repeat(300_000) });
    }
    const reader = readerOf(store, acme);
    reader.read(never);
    await catalog.put("d");
    now = 1_001;
    expect(refusalOf(() => reader.read(never))).toMatchObject({
      kind: "too-slow",
      metadata: { next_revision: "0" },
    });
  });

  test("is the one to resume from where the reader has fallen behind", async () => {
    const catalog = createAcme();
    const reader = readerOf(catalog.reader, acme);
    readAll(reader);
    for (let index = 1; index <= 1_002; index++) {
      await catalog.put("a", { priority: index });
    }
    expect(refusalOf(() => reader.read(never))).toMatchObject({
      reason: "READER_TOO_SLOW",
      metadata: { next_revision: "1" },
    });
    expect(readAll(readerOf(catalog.reader, acme, 1n))).toHaveLength(1_002);
    // One that resumes may have far to go, and is slow when it falls behind after that.
    const resumed = readerOf(catalog.reader, acme, 1n);
    for (let count = 0; count < 10; count++) {
      expect(resumed.read(never)).toMatchObject({ revision: BigInt(count + 1) });
    }
    for (let index = 1; index <= 20; index++) {
      await catalog.put("a", { priority: -index });
    }
    expect(refusalOf(() => resumed.read(never))).toMatchObject({
      reason: "READER_TOO_SLOW",
      metadata: { next_revision: "11" },
    });
  });

  test("may be in the future, of which a bookmark tells nothing", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const reader = readerOf(catalog.reader, acme, 3n);
    expect(reader.read(never)).toBe("caught-up");
    expect(reader.bookmark()).toMatchObject({ revision: 1n });
    expect(reader.nextRevision).toBe(3n);
    await catalog.put("b");
    await catalog.put("c");
    expect(readAll(reader)).toMatchObject([{ revision: 3n }]);
  });
});

describe("a reader", () => {
  test("of the present state begins with the one that is there when it first reads", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const reader = readerOf(catalog.reader, acme);
    await catalog.put("b");
    const messages = readAll(reader);
    expect(messages.flatMap(({ response }) => eventsOf(response))).toEqual([
      `put ${ext("a")}`,
      `put ${ext("b")}`,
    ]);
    expect(messages.at(-1)).toMatchObject({ bookmark: true, revision: 2n });
  });

  test("gives its turn back while it passes over what its scope does not see", async () => {
    const catalog = createAcme();
    for (let index = 0; index < 500; index++) {
      await catalog.put("of-red", { allowedIn: [red], priority: index });
    }
    await catalog.put("of-all");
    const reader = readerOf(catalog.reader, blue, 1n);
    let turns = 0;
    let read = reader.read(() => true);
    for (; read === "more"; read = reader.read(() => true)) {
      turns++;
    }
    expect(turns).toBeGreaterThan(5);
    expect(read).toMatchObject({ revision: 501n });
  });

  test("of an organization that holds nothing misses nothing when others are forgotten", async () => {
    const store = createStore({ history: { maxCommits: 2 } });
    const catalog = createAcme({ catalog: catalogOn(store) });
    const controller = new AbortController();
    const responses = catalog.watches.watch({ parent: acme }, { signal: controller.signal });
    const iterator = responses[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toMatchObject({ bookmark: true, revision: 0n });
    const next = iterator.next();
    await writeElsewhere(catalog, 20);
    await catalog.put("a");
    expect((await next).value).toMatchObject({ revision: 41n });
    controller.abort();
  });

  test("leaves nothing behind when it is watched and given up, however early", () => {
    const { reader: store } = createAcme();
    for (const isEarly of [true, false]) {
      const source = watch(store, readerOf(store, acme), { bookmarkIntervalMs: 1_000 });
      const leave = source.subscribe(() => undefined);
      expect(store.history.organizations).toBe(1);
      if (!isEarly) {
        expect(source.read(never)).toMatchObject({ bookmark: true });
      }
      leave();
      expect(store.history.organizations).toBe(0);
      expect(store.commitNotifier.size).toBe(0);
    }
  });

  test("of an organization that comes to hold nothing misses nothing either", async () => {
    const store = createStore({ history: { maxCommits: 2 } });
    const catalog = createAcme({ catalog: catalogOn(store) });
    const controller = new AbortController();
    const responses = catalog.watches.watch({ parent: acme }, { signal: controller.signal });
    const iterator = responses[Symbol.asyncIterator]();
    await iterator.next();
    // Its commits hold more than others', and are the first to go.
    const allowedIn = Array.from({ length: 100 }, (_, index) => `${acme}/tenants/t${index}`);
    await catalog.put("a", { allowedIn });
    await catalog.remove("a");
    for (const revision of [1n, 2n]) {
      expect((await iterator.next()).value).toMatchObject({ revision });
    }
    const next = iterator.next();
    await writeElsewhere(catalog, 20);
    await catalog.put("a");
    expect((await next).value).toMatchObject({ revision: 43n });
    controller.abort();
  });

  test("gets one bookmark an interval while nothing happens", async () => {
    const { reader: store, put } = createAcme();
    let now = 0;
    let notified = 0;
    const source = watch(store, readerOf(store, acme), { bookmarkIntervalMs: 20, now: () => now });
    source.subscribe(() => notified++);
    for (const time of [0, 20]) {
      now = time;
      expect(source.read(never)).toMatchObject({ bookmark: true, revision: 0n });
      expect(source.read(never)).toBe("caught-up");
      expect(source.dueAt).toBe(time + 20);
    }
    now = 30;
    await put("a");
    expect(notified).toBe(1);
    expect(source.read(never)).toMatchObject({ bookmark: false, revision: 1n });
    now = 40;
    expect(source.read(never)).toBe("caught-up");
    now = 50;
    expect(source.read(never)).toMatchObject({ bookmark: true, revision: 1n });
    expect(source.position).toEqual({ next_revision: "2" });
  });

  test("shares its messages: watchers of ten tenants cause one encoding a different message", async () => {
    const catalog = createAcme();
    const tenants = Array.from({ length: 10 }, (_, index) => `${acme}/tenants/t${index}`);
    await catalog.put("of-all");
    await catalog.put("of-half", { allowedIn: tenants.slice(0, 5) });
    await catalog.attach(`${tenants[0] ?? ""}/workspaces/w/securitygroups/s`, [
      { fqn: ext("of-all") },
    ]);
    await catalog.remove("of-all");
    const encoded = new Map<bigint, Set<Uint8Array>>();
    for (let watcher = 0; watcher < 100; watcher++) {
      const reader = readerOf(catalog.reader, tenants[watcher % 10] ?? "", 1n);
      for (const { revision, bytes } of readAll(reader)) {
        encoded.set(revision, (encoded.get(revision) ?? new Set()).add(bytes));
      }
    }
    // The last is seen with, and without, the attachment that went.
    expect([...encoded].map(([revision, all]) => [revision, all.size])).toEqual([
      [1n, 1],
      [2n, 1],
      [3n, 1],
      [4n, 2],
    ]);
  });
});

test("readers that begin together share the parts of the state, each by what it may see", async () => {
  const catalog = createAcme();
  for (const name of ["a", "b", "c"]) {
    await catalog.put(name, { description: "x".repeat(300_000) });
  }
  await catalog.put("of-red", { allowedIn: [red] });
  const scopes = [acme, red, acme, red];
  const messages = scopes.map(() => [] as WatchMessage[]);
  const readers = scopes.map((scope) => readerOf(catalog.reader, scope));
  // They take turns, as many streams do.
  for (let part = 0; part < 3; part++) {
    readers.forEach((reader, index) => {
      const read = reader.read(never);
      messages[index]?.push(typeof read === "string" ? expect.fail(read) : read);
    });
  }
  const [ofAcme, ofRed, ofAcmeToo, ofRedToo] = messages;
  ofAcme?.forEach((message, part) => {
    expect(ofAcmeToo?.[part]).toBe(message);
    expect(ofRedToo?.[part]).toBe(ofRed?.[part]);
  });
  await catalog.put("a", { description: "new" });
  const later = readAll(readerOf(catalog.reader, acme));
  const hidden = readAll(readerOf(catalog.reader, blue));
  expect(later.flatMap(({ response }) => eventsOf(response)).length).toBe(4);
  expect(later[0]?.revision).toBe(5n);
  expect(hidden.flatMap(({ response }) => eventsOf(response))).not.toContain(
    `put ${ext("of-red")}`,
  );
});

test("a reader that takes the present state in parts sees one state, and then all that came after it", async () => {
  const anyWrite = fc.record({
    name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
    isRemoval: fc.boolean(),
    priority: fc.integer({ min: -3, max: 3 }),
    allowedIn: fc.constantFrom<string[]>([], [red], [blue]),
    // Two of 300 kB are more than one message holds, and so is one of 600 kB.
    size: fc.constantFrom(10, 300_000, 600_000),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyWrite, { minLength: 3, maxLength: 8 }),
      fc.array(anyWrite, { maxLength: 8 }),
      fc.constantFrom(acme, red),
      async (before, during, scope) => {
        const catalog = createAcme();
        const take = async (write: (typeof before)[number]) => {
          const { name, isRemoval, priority, allowedIn, size } = write;
          const description = "x".repeat(size);
          await (
            isRemoval
              ? catalog.remove(name)
              : catalog.put(name, { priority, allowedIn, description })
          ).catch(() => undefined);
        };
        for (const write of before) {
          await take(write);
        }
        const expected = [...storedExtensions(catalog.reader).values()].filter((each) =>
          isInScope(scope, each),
        );
        const reader = readerOf(catalog.reader, scope);
        const replica = createReplica();
        let isComplete = false;
        for (const write of [...during, ...during]) {
          const read = reader.read(never);
          if (typeof read !== "string") {
            follow(replica, read.response);
          }
          if (!isComplete && typeof read !== "string" && read.bookmark) {
            isComplete = true;
            expect([...replica.extensions.values()]).toEqual(expect.arrayContaining(expected));
            expect(replica.extensions.size).toBe(expected.length);
          }
          await take(write);
        }
        for (const { response } of readAll(reader)) {
          follow(replica, response);
        }
        const present = [...storedExtensions(catalog.reader)].filter(([, each]) =>
          isInScope(scope, each),
        );
        expect(new Map([...replica.extensions].sort())).toEqual(new Map(present.sort()));
      },
    ),
    { numRuns: 25 },
  );
});

describe("a store that was restored", () => {
  async function restored(floor: bigint, incarnation?: string) {
    const { reader: from, ...catalog } = createAcme();
    for (const name of ["a", "b", "c", "d"]) {
      await catalog.put(name);
    }
    const store = createStore();
    const to = incarnation ?? from.incarnation;
    store.restore({ state: from.state, incarnation: to, floor });
    return { store, from };
  }

  test("says that what is before its floor is missing", async () => {
    const { store, from } = await restored(5n);
    expect(store.incarnation).toBe(from.incarnation);
    expect(refusalOf(() => readerOf(store, acme, 4n))).toMatchObject({
      kind: "out-of-range",
      reason: "REVISION_NOT_KEPT",
      metadata: { oldest_revision: "5", next_revision: "0" },
    });
    const reader = readerOf(store, acme, 5n);
    expect(reader.read(never)).toBe("caught-up");
    expect(readAll(readerOf(store, acme)).flatMap(({ response }) => eventsOf(response))).toEqual(
      ["a", "b", "c", "d"].map((name) => `put ${ext(name)}`),
    );
  });

  test("keeps the floor of what it holds when other organizations are forgotten", async () => {
    const { from } = await restored(5n);
    const store = createStore({ history: { maxCommits: 2 } });
    store.restore({ state: from.state, incarnation: from.incarnation, floor: 5n });
    await writeElsewhere(createAcme({ catalog: catalogOn(store) }), 20);
    expect(store.history.oldest(acme)).toBe(5n);
  });

  test("goes on remembering organizations that hold nothing but are watched", async () => {
    const store = createStore({ history: { maxCommits: 2 } });
    const catalog = createAcme({ catalog: catalogOn(store) });
    const controller = new AbortController();
    const responses = catalog.watches.watch({ parent: acme }, { signal: controller.signal });
    const iterator = responses[Symbol.asyncIterator]();
    await iterator.next();
    const next = iterator.next();
    const { state, incarnation } = store;
    store.restore({ state, incarnation, floor: 1n });
    await writeElsewhere(catalog, 20);
    await catalog.put("a");
    expect((await next).value).toMatchObject({ revision: 41n });
    controller.abort();
  });

  test("ends what was being read of another catalog, and of one with a gap", async () => {
    const { from } = await restored(5n);
    const store = createStore();
    const reading = readerOf(store, acme);
    readAll(reading);
    store.restore({ state: from.state, incarnation: from.incarnation, floor: 5n });
    expect(refusalOf(() => reading.read(never))).toMatchObject({
      reason: "OTHER_INCARNATION",
      metadata: { next_revision: "0" },
    });
    const resumed = readerOf(store, acme, 5n, from.incarnation);
    store.restore({ state: from.state, incarnation: from.incarnation, floor: 9n });
    expect(refusalOf(() => resumed.read(never))).toMatchObject({
      reason: "READER_TOO_SLOW",
      metadata: { next_revision: "0" },
    });
  });

  test("goes on with the next commit, and takes none twice", async () => {
    const { from, store } = await restored(4n);
    const last = from.history.first(acme, 4n);
    expect(() => {
      store.apply({ ...last, revision: 4n } as Commit);
    }).toThrow(RangeError);
    expect(store.history.length).toBe(0);
  });

  test("does not go back", async () => {
    const { store } = await restored(5n);
    const { incarnation } = store;
    const older = createStore();
    expect(() => {
      store.restore({ state: older.state, incarnation, floor: 1n });
    }).toThrow(RangeError);
  });
});

test("after a restore with its history, every watch reads what it read before, from any revision", async () => {
  const anyWrite = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    kind: fc.constantFrom("put", "put", "remove", "attach"),
    allowedIn: fc.subarray([red, blue]),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(anyWrite, { maxLength: 30 }), fc.nat(30), async (writes, cut) => {
      const { reader: from, ...catalog } = createAcme();
      for (const { name, kind, allowedIn } of writes) {
        const work =
          kind === "put"
            ? catalog.put(name, { allowedIn })
            : kind === "remove"
              ? catalog.remove(name)
              : catalog.attach(redSecurity, [{ fqn: ext(name) }]);
        await work.catch(() => undefined);
      }
      const { revision } = from.state;
      const floor = BigInt(Math.min(cut, Number(revision))) + 1n;
      const history = [];
      for (let next = floor; next <= revision; next++) {
        const entry = from.history.first(acme, next);
        if (entry !== undefined) {
          history.push({ commit: entry, replaced: entry.replaced });
        }
      }
      const store = createStore();
      store.restore({ state: from.state, incarnation: from.incarnation, floor, history });
      for (const scope of [acme, red, blue]) {
        for (let start = floor; start <= revision + 1n; start++) {
          const [before, after] = [from, store].map((each) =>
            readAll(readerOf(each, scope, start)),
          );
          expect(after?.map(({ response }) => response)).toEqual(
            before?.map(({ response }) => response),
          );
          for (const { bytes, response } of after ?? []) {
            expect(fromBinary(WatchResponseSchema, bytes)).toEqual(response);
          }
        }
      }
    }),
    { numRuns: 30 },
  );
});
