/* A server that has lost touch with etcd, in each way in which that happens. */
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acme, ext, url } from "../support/acme.ts";
import { said } from "../support/errors.ts";
import { type CatalogServer, startCatalogServer } from "./support/catalog-server.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";
import { notMadeReasons } from "./support/journal.ts";

interface Touch {
  readonly lose: () => unknown;
  readonly find: () => unknown;
}

describe("a server out of touch", () => {
  let etcd: Etcd;
  let server: CatalogServer;
  beforeAll(async () => {
    etcd = await startEtcd();
    server = await startCatalogServer(etcd.urls);
    await server.extensions.createWasmExtension({
      parent: acme,
      name: "a",
      wasmExtension: { url },
    });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await etcd[Symbol.asyncDispose]();
  });

  const node = () => etcd.nodes[0];
  const ways: [string, Touch][] = [
    ["etcd is paused", { lose: () => node()?.pause(), find: () => node()?.resume() }],
    ["etcd is killed", { lose: () => node()?.kill(), find: () => node()?.start() }],
    [
      "connections are refused",
      {
        lose: () => {
          server.link.cut();
        },
        find: () => {
          server.link.heal();
        },
      },
    ],
    [
      "nothing comes through",
      {
        lose: () => {
          server.link.hold();
        },
        find: () => {
          server.link.heal();
        },
      },
    ],
    [
      "requests do not come through",
      {
        lose: () => {
          server.link.hold("requests");
        },
        find: () => {
          server.link.heal();
        },
      },
    ],
    [
      "answers do not come through",
      {
        lose: () => {
          server.link.hold("answers");
        },
        find: () => {
          server.link.reset();
        },
      },
    ],
  ];

  const readyz = async (): Promise<number> => (await fetch(`${server.url}/readyz`)).status;
  const names = async (): Promise<string[]> => {
    const { extensions } = await server.extensions.listWasmExtension({ parent: acme });
    return extensions.map(({ fqn }) => fqn);
  };
  let writes = 0;
  const write = (timeoutMs = 10_000) =>
    server.extensions.createWasmExtension(
      { parent: acme, name: `w${writes++}`, wasmExtension: { url } },
      { timeoutMs },
    );

  test.each(ways)(
    "answers reads and refuses writes while %s, and is ready again after",
    async (_, { lose, find }) => {
      await server.becomes(true);
      expect(await readyz()).toBe(200);
      const before = await names();
      await lose();
      // Those that come before it is noticed, and those after.
      const startedAt = performance.now();
      const early = await refusal(write());
      expect(performance.now() - startedAt).toBeLessThan(8_000);
      expect(early.code).toBe(Code.Unavailable);
      await server.becomes(false);
      expect(await readyz()).toBe(503);
      const late = await refusal(write(2_000));
      expect(late.code).toBe(Code.Unavailable);
      expect(await names()).toEqual(before);
      await find();
      await server.becomes(true);
      expect(await readyz()).toBe(200);
      const { fqn } = await write();
      const after = await names();
      expect(after).toEqual(expect.arrayContaining([...before, fqn]));
      // Whatever was under way in the network has arrived before this write.
      const tried = [writes - 3, writes - 2].map((index) => ext(`w${index}`));
      for (const [index, { reason }] of [early, late].entries()) {
        if (notMadeReasons.has(reason)) {
          expect(after).not.toContain(tried[index]);
        } else {
          expect(reason).toBe("OUTCOME_UNKNOWN");
        }
      }
    },
  );
});

async function refusal(call: Promise<unknown>) {
  const error = await call.then(
    () => {
      throw new Error("expected the write to be refused");
    },
    (reason: unknown) => ConnectError.from(reason),
  );
  return said(error);
}
