import { setImmediate } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import type { WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import {
  acme,
  type Acme,
  blue,
  createAcme,
  ext,
  red,
  redIngress,
  redSecurity,
} from "../support/acme.ts";
import { said } from "../support/errors.ts";
import { read, type Reader, until } from "../support/stream.ts";
import { eventsOf } from "../support/watched.ts";

function watch(
  { watches }: Acme,
  parent: string,
  startRevision = 0n,
  timeoutMs?: number,
): Reader<WatchResponse> {
  return read(({ signal }) =>
    watches.watch({ parent, startRevision }, { signal, ...(timeoutMs && { timeoutMs }) }),
  );
}

/** Reads the present state: the events up to the bookmark, and the bookmark's revision. */
async function present(reader: Reader<WatchResponse>): Promise<[string[], bigint]> {
  const events: string[] = [];
  for (;;) {
    const response = await reader.next();
    if (response.bookmark) {
      expect(response.events).toEqual([]);
      return [events, response.revision];
    }
    events.push(...eventsOf(response));
  }
}

async function endOf(reader: Reader<unknown>): Promise<ConnectError> {
  try {
    for (;;) {
      await reader.next();
    }
  } catch (error) {
    return ConnectError.from(error);
  }
}

describe("Watch", () => {
  test("from 0 begins with the present state, closed by a bookmark, and goes on", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    await catalog.put("b", { priority: 1 });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    const reader = watch(catalog, acme);
    const [events, revision] = await present(reader);
    expect(events).toEqual([`put ${ext("b")}`, `put ${ext("a")}`, `put ${redIngress}`]);
    expect(revision).toBe(3n);
    await catalog.put("c");
    const response = await reader.next();
    expect(eventsOf(response)).toEqual([`put ${ext("c")}`]);
    expect(response).toMatchObject({ revision: 4n, bookmark: false });
  });

  test("of an empty organization begins with a bookmark", async () => {
    expect(await present(watch(createAcme(), acme))).toEqual([[], 0n]);
  });

  test("sends a large state in several messages", async () => {
    const catalog = createAcme();
    const description = "x".repeat(300_000);
    for (const name of ["a", "b", "c", "d"]) {
      await catalog.put(name, { description });
    }
    const reader = watch(catalog, acme);
    const messages: WatchResponse[] = [];
    for (let message = await reader.next(); !message.bookmark; message = await reader.next()) {
      messages.push(message);
    }
    expect(messages.length).toBeGreaterThan(2);
    expect(messages.flatMap(eventsOf)).toEqual(
      ["a", "b", "c", "d"].map((name) => `put ${ext(name)}`),
    );
  });

  test("sends one message a commit: deleting an extension with 50 attachments has 51 events", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const targets = Array.from(
      { length: 50 },
      (_, index) => `${red}/workspaces/w/securitygroups/s${String(index).padStart(2, "0")}`,
    );
    for (const target of targets) {
      await catalog.attach(target, [{ fqn: ext("a") }]);
    }
    const reader = watch(catalog, acme);
    await present(reader);
    await catalog.remove("a");
    expect(eventsOf(await reader.next())).toEqual([
      `deleted ${ext("a")}`,
      ...targets.map((target) => `put ${target}`),
    ]);
  });

  test("resumes at a revision, and at one between commits of the organization", async () => {
    const catalog = createAcme();
    for (const name of ["a", "b"]) {
      await catalog.put(name);
    }
    await catalog.extensions.createWasmExtension({
      parent: "organizations/other",
      name: "x",
      wasmExtension: { url: "oci://x" },
    });
    await catalog.put("c");
    const from2 = watch(catalog, acme, 2n);
    expect([await from2.next(), await from2.next()].map(eventsOf)).toEqual([
      [`put ${ext("b")}`],
      [`put ${ext("c")}`],
    ]);
    expect(await watch(catalog, acme, 3n).next()).toMatchObject({ revision: 4n });
  });

  test("waits for a revision of the future, within the deadline", async () => {
    const catalog = createAcme();
    const reader = watch(catalog, acme, 3n);
    const ending = endOf(watch(catalog, acme, 100n, 300));
    const first = reader.next();
    for (const name of ["a", "b", "c"]) {
      await catalog.put(name);
    }
    expect(eventsOf(await first)).toEqual([`put ${ext("c")}`]);
    expect((await ending).code).toBe(Code.DeadlineExceeded);
  });

  test("sends bookmarks while nothing happens, from which a client can resume", async () => {
    const catalog = createAcme({ bookmarkIntervalMs: 5 });
    const reader = watch(catalog, acme);
    await present(reader);
    expect(await reader.next()).toMatchObject({ bookmark: true, revision: 0n });
    await catalog.extensions.createWasmExtension({
      parent: "organizations/other",
      name: "x",
      wasmExtension: { url: "oci://x" },
    });
    let bookmark = await reader.next();
    while (bookmark.revision === 0n) {
      bookmark = await reader.next();
    }
    expect(bookmark).toMatchObject({ bookmark: true, revision: 1n, events: [] });
  });

  test("a revision of another incarnation is OUT_OF_RANGE, and one of this is not", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const state = watch(catalog, acme);
    const { incarnation } = await state.next();
    expect(incarnation).not.toBe("");
    expect(await state.next()).toMatchObject({ bookmark: true, incarnation });
    await catalog.put("b");
    const resume = ({ watches }: Acme): Reader<WatchResponse> =>
      read(({ signal }) =>
        watches.watch({ parent: acme, startRevision: 2n, incarnation }, { signal }),
      );
    const next = await resume(catalog).next();
    expect(eventsOf(next)).toEqual([`put ${ext("b")}`]);
    expect(next.incarnation).toBe(incarnation);
    expect(said(await endOf(resume(createAcme())))).toMatchObject({
      code: Code.OutOfRange,
      reason: "OTHER_INCARNATION",
      metadata: { next_revision: "0" },
    });
  });

  test("bookmarks reach a tenant in whose organization much happens that it may not see", async () => {
    const catalog = createAcme({ bookmarkIntervalMs: 20 });
    const reader = watch(catalog, blue);
    await present(reader);
    const bookmark = reader.next();
    const over = new AbortController();
    void bookmark.finally(() => {
      over.abort();
    });
    for (let priority = 1; !over.signal.aborted; priority++) {
      await catalog.put("of-red", { allowedIn: [red], priority });
    }
    expect((await bookmark).bookmark).toBe(true);
  });

  test("before the kept history is OUT_OF_RANGE, naming the oldest revision", async () => {
    const catalog = createAcme({ store: { history: { maxCommits: 3 } } });
    for (const name of ["a", "b", "c", "d", "e"]) {
      await catalog.put(name);
    }
    const { code, reason, metadata, message } = said(await endOf(watch(catalog, acme, 2n)));
    expect({ code, reason, metadata }).toEqual({
      code: Code.OutOfRange,
      reason: "REVISION_NOT_KEPT",
      metadata: { parent: acme, oldest_revision: "3", next_revision: "0" },
    });
    expect(message).toContain("3");
    expect(await watch(catalog, acme, 3n).next()).toMatchObject({ revision: 3n });
  });

  test("what other organizations do takes no history away from one that is quiet", async () => {
    const catalog = createAcme({ store: { history: { maxCommits: 3 } } });
    const reader = watch(catalog, acme);
    await present(reader);
    for (let index = 0; index < 10; index++) {
      await catalog.extensions.createWasmExtension({
        parent: "organizations/other",
        name: `e${index}`,
        wasmExtension: { url: "oci://x" },
      });
    }
    await catalog.put("a");
    expect(eventsOf(await reader.next())).toEqual([`put ${ext("a")}`]);
    expect(await watch(catalog, acme, 1n).next()).toMatchObject({ revision: 11n });
  });

  test.each([
    ["parent", { parent: `${red}/workspaces/w` }],
    ["parent", { parent: "" }],
    ["start_revision", { parent: acme, startRevision: -1n }],
  ])("refuses a wrong %s", async (field, request) => {
    const { watches } = createAcme();
    const end = said(await endOf(read((options) => watches.watch(request, options))));
    expect(end).toMatchObject({ code: Code.InvalidArgument, fields: [field] });
  });

  test("leaves nothing behind when the client goes", async () => {
    const catalog = createAcme();
    const readers = [acme, red, blue].map((parent) => watch(catalog, parent));
    await Promise.all(readers.map(present));
    expect(catalog.reader.commitNotifier.size).toBe(3);
    readers.forEach((reader) => {
      reader.cancel();
    });
    await until(() => catalog.reader.commitNotifier.size === 0, "all watchers have left");
  });
});

describe("Watch of a tenant", () => {
  test("shows what the tenant may use and its own attachments, and nothing else", async () => {
    const catalog = createAcme();
    await catalog.put("for-all");
    await catalog.put("for-red", { allowedIn: [red] });
    await catalog.put("for-blue", { allowedIn: [blue] });
    await catalog.attach(redSecurity, [{ fqn: ext("for-red") }]);
    const reader = watch(catalog, blue);
    expect(await present(reader)).toEqual([
      [`put ${ext("for-all")}`, `put ${ext("for-blue")}`],
      4n,
    ]);
    await catalog.put("for-red", { allowedIn: [red], priority: 1 });
    await catalog.attach(redSecurity, []);
    await catalog.remove("for-red");
    await catalog.put("last");
    expect(eventsOf(await reader.next())).toEqual([`put ${ext("last")}`]);
  });

  test("narrowing arrives as deleted with the attachments that go, widening as put", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    await catalog.attach(redSecurity, [{ fqn: ext("a") }]);
    const reader = watch(catalog, red);
    await present(reader);
    await catalog.put("a", { allowedIn: [blue] });
    expect(eventsOf(await reader.next())).toEqual([`deleted ${ext("a")}`, `put ${redSecurity}`]);
    await catalog.put("a", { allowedIn: [blue], priority: 5 });
    await catalog.put("a", { allowedIn: [blue, red] });
    const widened = await reader.next();
    expect(eventsOf(widened)).toEqual([`put ${ext("a")}`]);
    expect(widened.revision).toBe(5n);
  });
});

describe("WatchChain", () => {
  test("streams the chain now and whenever it changes, and never twice the same", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    await catalog.put("unrelated");
    const reader = read((options) => catalog.chains.watchChain({ target: redIngress }, options));
    const next = async (): Promise<string[] | undefined> =>
      (await reader.next()).chain?.links.map(({ fqn, priority }) => `${fqn} ${priority}`);
    expect(await next()).toEqual([]);
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    expect(await next()).toEqual([`${ext("a")} 0`]);
    await catalog.put("unrelated", { priority: 3 });
    await catalog.put("a", { description: "of no effect on the chain" });
    await catalog.attach(redSecurity, [{ fqn: ext("a") }]);
    await catalog.put("a", { priority: 4 });
    expect(await next()).toEqual([`${ext("a")} 4`]);
    await catalog.remove("a");
    expect(await next()).toEqual([]);
    reader.cancel();
    await until(() => catalog.reader.chainNotifier.size === 0, "all watchers have left");
  });

  test("leaves turns to others when many watch the same chain", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const readers = Array.from({ length: 20 }, () =>
      read((options) => catalog.chains.watchChain({ target: redIngress }, options)),
    );
    await Promise.all(readers.map((reader) => reader.next()));
    let turns = 0;
    const over = new AbortController();
    const counting = (async () => {
      for (; !over.signal.aborted; turns++) {
        await setImmediate();
      }
    })();
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    await Promise.all(readers.map((reader) => reader.next()));
    over.abort();
    await counting;
    expect(turns).toBeGreaterThanOrEqual(readers.length);
    readers.forEach((reader) => {
      reader.cancel();
    });
  });

  test("is silent when the same is said in another order", async () => {
    const catalog = createAcme();
    await catalog.put("a", { config: { x: 1, y: { p: true, q: [1, 2] } } });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    const reader = read((options) => catalog.chains.watchChain({ target: redIngress }, options));
    const first = (await reader.next()).chain;
    expect(first?.etag).toMatch(/^"[A-Za-z0-9+/]{11}="$/);
    const reordered = { y: { q: [1, 2], p: true }, x: 1 };
    await catalog.put("a", { config: reordered, description: "of no effect on the chain" });
    const { chain } = await catalog.chains.resolveChain({ target: redIngress });
    expect(chain?.etag).toBe(first?.etag);
    await catalog.put("a", { config: { ...reordered, x: 2 } });
    expect((await reader.next()).chain?.links[0]?.config).toEqual({ ...reordered, x: 2 });
    reader.cancel();
  });

  test("shows only what the asked traffic passes", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const reader = read((options) =>
      catalog.chains.watchChain({ target: redIngress, port: 80 }, options),
    );
    await reader.next();
    await catalog.attach(redIngress, [{ fqn: ext("a"), match: [{ ports: [{ number: 443 }] }] }]);
    expect((await reader.next()).chain).toMatchObject({ links: [], excluded: [{ position: 0 }] });
    await catalog.attach(redIngress, [{ fqn: ext("a"), match: [{ ports: [{ number: 80 }] }] }]);
    expect((await reader.next()).chain).toMatchObject({ links: [{ position: 0 }], excluded: [] });
  });
});
