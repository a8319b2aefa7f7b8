import { describe, expect, test } from "vitest";
import { createStore } from "../../../src/catalog/store.ts";
import { type Acme, acme, createAcme } from "../../support/acme.ts";
import { catalogOn } from "../../support/journal.ts";
import { refused } from "../../support/errors.ts";

const other = "organizations/other";

async function firstPage({ extensions }: Acme, parent: string): Promise<string> {
  return (await extensions.listWasmExtension({ parent, pageSize: 1 })).nextPageToken;
}

async function write({ extensions }: Acme, parent: string, name: string): Promise<void> {
  await extensions.createWasmExtension({ parent, name, wasmExtension: { url: "oci://x" } });
}

describe("page tokens", () => {
  test("outlive whatever another organization does", async () => {
    const store = createStore({ snapshots: { maxWeight: 100_000 } });
    const catalog = createAcme({ catalog: catalogOn(store) });
    await catalog.put("a");
    await catalog.put("b");
    const pageToken = await firstPage(catalog, acme);
    await write(catalog, other, "e");
    for (let index = 0; index < 300; index++) {
      await write(catalog, other, `e${index}`);
      await firstPage(catalog, other);
      expect(store.snapshots.weight).toBeLessThanOrEqual(100_000);
    }
    const { extensions } = await catalog.extensions.listWasmExtension({ parent: acme, pageToken });
    expect(extensions).toHaveLength(1);
    // The one that took more than its share has lost its own oldest.
    expect(store.snapshots.size).toBeLessThan(100);
  });

  test("expire when nobody has used them for a time, and not before", async () => {
    let now = 0;
    const store = createStore({ snapshots: { maxIdleMs: 1_000 }, now: () => now });
    const catalog = createAcme({ catalog: catalogOn(store) });
    for (const name of ["a", "b", "c", "d"]) {
      await catalog.put(name);
    }
    const first = await firstPage(catalog, acme);
    await catalog.put("e");
    now = 1_000;
    const second = await catalog.extensions.listWasmExtension({
      parent: acme,
      pageSize: 1,
      pageToken: first,
    });
    now = 2_000;
    const page = { parent: acme, pageSize: 1, pageToken: second.nextPageToken };
    expect((await catalog.extensions.listWasmExtension(page)).extensions).toHaveLength(1);
    now = 3_001;
    const { reason } = await refused(catalog.extensions.listWasmExtension(page));
    expect(reason).toBe("PAGE_TOKEN_EXPIRED");
    expect(store.snapshots).toMatchObject({ size: 0, weight: 0 });
  });

  test("hold nothing where nobody uses them, also in organizations that have gone", async () => {
    let now = 0;
    const store = createStore({ snapshots: { maxIdleMs: 1_000 }, now: () => now });
    const catalog = createAcme({ catalog: catalogOn(store) });
    await write(catalog, other, "a");
    await write(catalog, other, "b");
    await firstPage(catalog, other);
    for (const name of ["a", "b"]) {
      await catalog.extensions.deleteWasmExtension({ fqn: `${other}/extensions/${name}` });
    }
    expect(store.snapshots.size).toBe(1);
    now = 1_001;
    await catalog.put("a");
    expect(store.snapshots).toMatchObject({ size: 0, weight: 0 });
  });

  test("hold no more what was replaced before the oldest that is left", async () => {
    let now = 0;
    const store = createStore({ snapshots: { maxIdleMs: 1_000 }, now: () => now });
    const catalog = createAcme({ catalog: catalogOn(store) });
    await catalog.put("a", { description: "x".repeat(100_000) });
    await catalog.put("b");
    await firstPage(catalog, acme);
    await catalog.put("a");
    expect(store.snapshots.weight).toBeGreaterThan(200_000);
    now = 900;
    await firstPage(catalog, acme);
    now = 1_800;
    await catalog.put("c");
    expect(store.snapshots.size).toBe(1);
    expect(store.snapshots.weight).toBeLessThan(50_000);
  });
});
