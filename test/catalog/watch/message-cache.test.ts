import { everything } from "../../../src/catalog/access/viewer.ts";
import { expect, test } from "vitest";
import { createMessageCache } from "../../../src/catalog/watch/message-cache.ts";
import { acme, blue, createAcme, ext, red, redSecurity } from "../../support/acme.ts";

test("scopes that see the same of a commit share one message, and what nobody sees is not kept", async () => {
  const { put, attach, remove, reader } = createAcme();
  await put("open");
  await put("of-red", { allowedIn: [red] });
  await attach(redSecurity, [{ fqn: ext("open") }]);
  await remove("open");
  const entryOf = (revision: bigint) => {
    const entry = reader.history.first(acme, revision);
    if (entry?.revision !== revision) {
      throw new Error(`no commit ${revision}`);
    }
    return entry;
  };

  const { messages } = reader;
  const open = entryOf(1n);
  expect(messages.messageOf(open, red, "i", everything)).toBe(
    messages.messageOf(open, acme, "i", everything),
  );
  expect(messages.messageOf(open, blue, "i", everything)).toBe(
    messages.messageOf(open, acme, "i", everything),
  );
  expect(messages.size).toBe(1);

  const ofRed = entryOf(2n);
  for (let tenant = 0; tenant < 100; tenant++) {
    expect(
      messages.messageOf(ofRed, `${acme}/tenants/t${tenant}`, "i", everything),
    ).toBeUndefined();
  }
  expect(messages.size).toBe(1);

  const removed = entryOf(4n);
  expect(
    messages
      .messageOf(removed, blue, "i", everything)
      ?.response.events.map(({ event }) => event.case),
  ).toEqual(["extensionDeleted"]);
  expect(
    messages
      .messageOf(removed, red, "i", everything)
      ?.response.events.map(({ event }) => event.case),
  ).toEqual(["extensionDeleted", "attachmentSetPut"]);
});

test("messages are bounded by what they hold in memory, also of objects that are gone", async () => {
  const { put, reader } = createAcme();
  const maxWeight = 1_000_000;
  const messages = createMessageCache(maxWeight);
  let weights = 0;
  for (let priority = 0; priority < 100; priority++) {
    await put("a", { priority, config: { list: Array.from({ length: 500 }, () => ({})) } });
    const entry = reader.history.first(acme, reader.state.revision);
    if (entry === undefined) {
      throw new Error("no commit");
    }
    messages.messageOf(entry, acme, "i", everything);
    weights += entry.weight;
  }
  expect(messages.size).toBeGreaterThan(1);
  expect(messages.size * (weights / 100)).toBeLessThan(maxWeight);
});

test("each of several large commits has messages of its own", async () => {
  const { put, attach, remove, reader } = createAcme();
  const targets = [red, blue].flatMap((tenant) =>
    Array.from({ length: 10 }, (_, index) => `${tenant}/workspaces/w/securitygroups/s${index}`),
  );
  await put("a");
  await put("b");
  for (const target of targets) {
    await attach(target, [{ fqn: ext("a") }, { fqn: ext("b") }]);
  }
  const revisions: bigint[] = [];
  for (const name of ["a", "b"]) {
    await remove(name);
    revisions.push(reader.state.revision);
  }
  for (const scope of [red, blue]) {
    for (const [index, revision] of revisions.entries()) {
      const entry = reader.history.first(acme, revision);
      const message = entry && reader.messages.messageOf(entry, scope, "i", everything);
      expect(message?.revision).toBe(revision);
      const left = index === 0 ? [ext("b")] : [];
      expect(
        message?.response.events.map(({ event }) =>
          event.case === "attachmentSetPut"
            ? event.value.extension.map(({ fqn }) => fqn)
            : event.value,
        ),
      ).toEqual([ext(index === 0 ? "a" : "b"), ...Array<string[]>(10).fill(left)]);
    }
  }
});

test("watchers that read several commits each share all of their messages", async () => {
  const { put, reader } = createAcme();
  const { messages } = reader;
  for (let priority = 0; priority < 10; priority++) {
    await put("a", { priority });
  }
  const read = (scope: string) =>
    Array.from({ length: 10 }, (_, index) => {
      const entry = reader.history.first(acme, BigInt(index + 1));
      return entry && messages.messageOf(entry, scope, "i", everything);
    });
  const first = read(acme);
  expect(new Set(first).size).toBe(10);
  for (const scope of [acme, red, blue, acme]) {
    read(scope).forEach((message, index) => {
      expect(message).toBe(first[index]);
    });
  }
  expect(messages.size).toBe(10);
});

test("a reader that is far behind others leaves the cache within its bound", async () => {
  const { put, reader } = createAcme();
  const messages = createMessageCache(10_000);
  for (let priority = 0; priority < 100; priority++) {
    await put("a", { priority });
  }
  const read = (from: number, to: number): void => {
    for (let revision = from; revision <= to; revision++) {
      const entry = reader.history.first(acme, BigInt(revision));
      for (const scope of [acme, red, blue]) {
        expect(entry && messages.messageOf(entry, scope, "i", everything)?.revision).toBe(
          BigInt(revision),
        );
      }
    }
  };
  read(1, 100);
  const { size } = messages;
  expect(size).toBeLessThan(100);
  for (let round = 0; round < 10; round++) {
    read(1, 5);
    read(90, 100);
  }
  expect(messages.size).toBeLessThanOrEqual(size);
  expect(messages.size).toBeGreaterThan(0);
});
