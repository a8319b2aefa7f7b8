import { expect, test } from "vitest";
import { createMessageCache } from "../../../src/catalog/watch/message-cache.ts";
import { acme, blue, createAcme, ext, red, redSecurity } from "../../support/acme.ts";

test("scopes that see the same of a commit share one message, and what nobody sees is not kept", async () => {
  const { put, attach, remove, store } = createAcme();
  await put("open");
  await put("of-red", { allowedIn: [red] });
  await attach(redSecurity, [{ fqn: ext("open") }]);
  await remove("open");
  const entryOf = (revision: bigint) => {
    const entry = store.history.first(acme, revision);
    if (entry?.revision !== revision) {
      throw new Error(`no commit ${revision}`);
    }
    return entry;
  };

  const { messages } = store;
  const open = entryOf(1n);
  expect(messages.messageOf(open, red, "i")).toBe(messages.messageOf(open, acme, "i"));
  expect(messages.messageOf(open, blue, "i")).toBe(messages.messageOf(open, acme, "i"));
  expect(messages.size).toBe(1);

  const ofRed = entryOf(2n);
  for (let tenant = 0; tenant < 100; tenant++) {
    expect(messages.messageOf(ofRed, `${acme}/tenants/t${tenant}`, "i")).toBeUndefined();
  }
  expect(messages.size).toBe(1);

  const removed = entryOf(4n);
  expect(
    messages.messageOf(removed, blue, "i")?.response.events.map(({ event }) => event.case),
  ).toEqual(["extensionDeleted"]);
  expect(
    messages.messageOf(removed, red, "i")?.response.events.map(({ event }) => event.case),
  ).toEqual(["extensionDeleted", "attachmentSetPut"]);
});

test("messages are bounded by what they hold in memory, also of objects that are gone", async () => {
  const { put, store } = createAcme();
  const maxWeight = 1_000_000;
  const messages = createMessageCache(maxWeight);
  let weights = 0;
  for (let priority = 0; priority < 100; priority++) {
    await put("a", { priority, config: { list: Array.from({ length: 500 }, () => ({})) } });
    const entry = store.history.first(acme, store.state.revision);
    if (entry === undefined) {
      throw new Error("no commit");
    }
    messages.messageOf(entry, acme, "i");
    weights += entry.weight;
  }
  expect(messages.size).toBeGreaterThan(1);
  expect(messages.size * (weights / 100)).toBeLessThan(maxWeight);
});
