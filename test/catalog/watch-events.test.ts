import { expect, test } from "vitest";
import { responseOf } from "../../src/catalog/watch-events.ts";
import { acme, blue, createAcme, ext, red, redSecurity } from "../support/acme.ts";

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

  const open = entryOf(1n);
  expect(responseOf(open, red, "i")).toBe(responseOf(open, acme, "i"));
  expect(responseOf(open, blue, "i")).toBe(responseOf(open, acme, "i"));
  expect(open.responses.size).toBe(1);

  const ofRed = entryOf(2n);
  for (let tenant = 0; tenant < 100; tenant++) {
    expect(responseOf(ofRed, `${acme}/tenants/t${tenant}`, "i")).toBeUndefined();
  }
  expect(ofRed.responses.size).toBe(0);

  const removed = entryOf(4n);
  expect(responseOf(removed, blue, "i")?.events.map(({ event }) => event.case)).toEqual([
    "extensionDeleted",
  ]);
  expect(responseOf(removed, red, "i")?.events.map(({ event }) => event.case)).toEqual([
    "extensionDeleted",
    "attachmentSetPut",
  ]);
});
