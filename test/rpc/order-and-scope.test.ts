import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { InMemoryOptions } from "../../src/in-memory.ts";
import { refused } from "../support/errors.ts";
import { createInMemory, type InMemory } from "../support/in-memory.ts";
import {
  anyExtension,
  belongsTo,
  fqnOf,
  inOrder,
  type ModelExtension,
  organizations,
  tenants,
} from "../support/model.ts";

type Write =
  | { readonly kind: "put"; readonly extension: ModelExtension }
  | { readonly kind: "delete"; readonly extension: ModelExtension };

const anyWrite: fc.Arbitrary<Write> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("put"), extension: anyExtension }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete"), extension: anyExtension }) },
);

/** A catalog and the model that it is compared with. */
interface Pair extends InMemory {
  readonly model: Map<string, ModelExtension>;
}

function createPair(options?: InMemoryOptions): Pair {
  return { ...createInMemory(options), model: new Map() };
}

/** Writes to both: a put creates or replaces, a delete of what is not there does nothing. */
async function write({ extensions, model }: Pair, { kind, extension }: Write): Promise<void> {
  const fqn = fqnOf(extension);
  const { organization: parent, name, phase, priority, allowedIn } = extension;
  const body = { url: "oci://example/x:1", phase, priority, allowedIn: [...allowedIn] };
  if (kind === "delete") {
    if (model.delete(fqn)) {
      await extensions.deleteWasmExtension({ fqn });
    }
    return;
  }
  if (model.has(fqn)) {
    const { etag } = await extensions.getWasmExtension({ fqn });
    await extensions.updateWasmExtension({ ...body, fqn, etag });
  } else {
    await extensions.createWasmExtension({ parent, name, wasmExtension: body });
  }
  model.set(fqn, extension);
}

async function page(
  { extensions, tenants: tenantsClient }: InMemory,
  parent: string,
  pageSize = 0,
  pageToken = "",
): Promise<{ extensions: WasmExtension[]; nextPageToken: string }> {
  const request = { parent, pageSize, pageToken };
  return parent.includes("/tenants/")
    ? tenantsClient.listWasmExtensions(request)
    : extensions.listWasmExtension(request);
}

const scopes = [...organizations, ...tenants];
const fqns = (list: readonly { fqn: string }[]): string[] => list.map(({ fqn }) => fqn);

describe("order and scope", () => {
  test("every list is what the model says, after any writes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyWrite, { maxLength: 40 }), async (writes) => {
        const pair = createPair();
        for (const each of writes) {
          await write(pair, each);
        }
        for (const scope of scopes) {
          const { extensions } = await page(pair, scope);
          const expected = [...pair.model.values()].filter((each) => belongsTo(scope, each));
          expect(fqns(extensions)).toEqual(inOrder(expected));
        }
      }),
      { numRuns: 60 },
    );
  });

  test("an entry of allowed_in that is no tenant of the organization opens nothing", async () => {
    const pair = createPair();
    await write(pair, {
      kind: "put",
      extension: {
        organization: "organizations/acme",
        name: "shut",
        phase: 0,
        priority: 0,
        allowedIn: ["organizations/acme", "organizations/acme-2/tenants/a", "*"],
      },
    });
    for (const tenant of tenants) {
      expect((await page(pair, tenant)).extensions).toEqual([]);
    }
  });
});

describe("paging", () => {
  test("shows what stays exactly once, in the order of the first page, whatever is written", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...scopes),
        fc.array(anyWrite, { minLength: 5, maxLength: 40 }),
        fc.array(fc.array(anyWrite, { maxLength: 6 }), { maxLength: 10 }),
        fc.integer({ min: 1, max: 4 }),
        async (scope, before, between, pageSize) => {
          const pair = createPair();
          for (const each of before) {
            await write(pair, each);
          }
          const atFirst = [...pair.model.values()].filter((each) => belongsTo(scope, each));
          const gone = new Set<string>();
          const shown: string[] = [];
          let token = "";
          do {
            const { extensions, nextPageToken } = await page(pair, scope, pageSize, token);
            expect(extensions.length).toBeLessThanOrEqual(pageSize);
            for (const { fqn } of extensions) {
              const now = pair.model.get(fqn);
              expect(now !== undefined && belongsTo(scope, now)).toBe(true);
            }
            shown.push(...fqns(extensions));
            token = nextPageToken;
            for (const each of between.shift() ?? []) {
              await write(pair, each);
              for (const extension of atFirst) {
                const now = pair.model.get(fqnOf(extension));
                if (now === undefined || !belongsTo(scope, now)) {
                  gone.add(fqnOf(extension));
                }
              }
            }
          } while (token !== "");
          const stayed = inOrder(atFirst).filter((fqn) => !gone.has(fqn));
          expect(shown.filter((fqn) => !gone.has(fqn))).toEqual(stayed);
          expect(new Set(shown).size).toBe(shown.length);
        },
      ),
      { numRuns: 80 },
    );
  });

  async function pairOf(count: number, options?: InMemoryOptions): Promise<Pair> {
    const pair = createPair(options);
    for (let index = 0; index < count; index++) {
      const extension: ModelExtension = {
        organization: "organizations/acme",
        name: `e${index}`,
        phase: 0,
        priority: index % 7,
        allowedIn: [],
      };
      await write(pair, { kind: "put", extension });
    }
    return pair;
  }

  test("a page size over 1000 counts as 1000, and 0 is everything", async () => {
    const pair = await pairOf(1001);
    const first = await page(pair, "organizations/acme", 5000);
    expect(first.extensions).toHaveLength(1000);
    const rest = await page(pair, "organizations/acme", 0, first.nextPageToken);
    expect(rest.extensions).toHaveLength(1);
    expect((await page(pair, "organizations/acme")).extensions).toHaveLength(1001);
  });

  test("a negative page size is refused", async () => {
    const { code, fields } = await refused(page(createPair(), "organizations/acme", -1));
    expect([code, fields]).toEqual([Code.InvalidArgument, ["page_size"]]);
  });

  test("a list that ends with a full page has no next page", async () => {
    const pair = await pairOf(4);
    const first = await page(pair, "organizations/acme", 2);
    const second = await page(pair, "organizations/acme", 2, first.nextPageToken);
    expect(second.extensions).toHaveLength(2);
    expect(second.nextPageToken).toBe("");
  });

  test("a token that is forged, damaged, or of another parent is refused", async () => {
    const pair = await pairOf(3);
    const { nextPageToken } = await page(pair, "organizations/acme", 1);
    const forged = (fields: unknown): string =>
      Buffer.from(JSON.stringify(fields)).toString("base64url");
    const { incarnation } = pair.reader;
    for (const token of [
      "?",
      "AAAA",
      nextPageToken.slice(0, -3),
      forged({}),
      forged([1, 2, 3]),
      forged([
        "extensions:organizations/acme",
        incarnation,
        "-1",
        "organizations/acme/extensions/e1",
      ]),
      forged([
        "extensions:organizations/acme",
        incarnation,
        "1e9",
        "organizations/acme/extensions/e1",
      ]),
      forged([
        "extensions:organizations/acme",
        incarnation,
        "3",
        "organizations/acme/extensions/nope",
      ]),
    ]) {
      const { code, reason, fields } = await refused(page(pair, "organizations/acme", 1, token));
      expect([code, reason, fields]).toEqual([
        Code.InvalidArgument,
        "PAGE_TOKEN_INVALID",
        ["page_token"],
      ]);
    }
    const { reason } = await refused(page(pair, "organizations/acme-2", 1, nextPageToken));
    expect(reason).toBe("PAGE_TOKEN_INVALID");
  });

  test("a token of another store is refused as expired, as after a restart", async () => {
    const { nextPageToken } = await page(await pairOf(3), "organizations/acme", 1);
    const { reason } = await refused(page(await pairOf(3), "organizations/acme", 1, nextPageToken));
    expect(reason).toBe("PAGE_TOKEN_EXPIRED");
  });

  test("a token whose state is no longer kept is refused as expired", async () => {
    const pair = await pairOf(3, { store: { snapshots: { maxWeight: 200_000 } } });
    const old = await page(pair, "organizations/acme", 1);
    for (let index = 0; index < 300; index++) {
      await write(pair, {
        kind: "put",
        extension: {
          organization: "organizations/acme",
          name: "moves",
          phase: 0,
          priority: index,
          allowedIn: [],
        },
      });
      await page(pair, "organizations/acme", 1);
    }
    const { code, reason, message } = await refused(
      page(pair, "organizations/acme", 1, old.nextPageToken),
    );
    expect([code, reason]).toEqual([Code.InvalidArgument, "PAGE_TOKEN_EXPIRED"]);
    expect(message).toContain("list again");
  });
});
