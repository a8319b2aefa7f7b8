/*
 * The front ends answer streams alike: the same calls are made to two servers that differ in nothing but
 * that, and the same is written to both.
 */
import type { JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { services } from "../../src/methods/table.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import { acme, type Acme, createAcme, ext, red, redIngress } from "../support/acme.ts";
import type { Received, Sent } from "../support/exchange.ts";
import { comparable, damage, formOf, requestOf, sentOf } from "../support/random-calls.ts";
import { openStream, type RawStream } from "../support/raw-stream.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";

const methods = services
  .flatMap((service) => service.methods)
  .filter(({ methodKind }) => methodKind === "server_streaming");
const methodOf = (name: string) =>
  methods.find((method) => `${method.parent.name}.${method.name}` === name) ??
  expect.fail(`there is no method ${name}`);

const contentTypes = [
  ...["application/grpc", "application/grpc+proto", "application/grpc+json"],
  ...["application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json"],
  ...["application/connect+proto", "application/connect+json"],
];
const notOfStreams = ["application/json", "application/connect+json; charset=utf-8"];

interface Pair {
  readonly servers: readonly RunningServer[];
  /** Does the same to both catalogs. */
  readonly both: (work: (catalog: Acme) => Promise<void>) => Promise<void>;
}

/** Two servers with the same catalog: with all front ends, and with Connect alone. */
async function startPair(): Promise<Pair> {
  const catalogs = [0, 1].map(() => createMemoryCatalog({ incarnation: "the-same" }));
  const acmes = catalogs.map((catalog) => createAcme({ catalog }));
  const [direct, connect] = catalogs;
  const servers = [
    await startServer({ frontEnds: "all", ...(direct && { catalog: direct }) }),
    await startServer({ frontEnds: "connect", ...(connect && { catalog: connect }) }),
  ];
  onTestFinished(async () => {
    await Promise.all(servers.map((server) => server.close()));
  });
  return {
    servers,
    async both(work) {
      for (const each of acmes) {
        await work(each);
      }
    },
  };
}

function answerOf(received: Received | Error): unknown {
  return received instanceof Error ? received.message : comparable(received);
}

/** How calls have ended, by what the logs say. */
function logged({ log }: RunningServer): unknown[] {
  return log
    .filter(({ msg }) => msg === "call")
    .map(({ method, code, http }) => `${String(method)} ${String(code)} ${String(http)}`)
    .toSorted();
}

interface Asked {
  readonly name: string;
  readonly sent: Sent;
  readonly http: 1 | 2;
}

/** Calls that end by themselves, at their deadlines at the latest. */
const endingCalls: fc.Arbitrary<Asked> = fc.constantFrom(...methods).chain((method) =>
  fc
    .record({
      json: requestOf(method.input),
      http: fc.constantFrom(1 as const, 2 as const),
      form: formOf(
        [...contentTypes, ...contentTypes, ...notOfStreams],
        ["500m", "500", "500m", "500", "0n", "0", "soon"],
      ),
      damage,
    })
    .map(({ json, http, form, damage: spoil }) => ({
      name: method.name,
      http,
      sent: sentOf(method, json, form, spoil),
    })),
);

test("random calls get the same answers, errors and deadlines, and are logged alike", async () => {
  const { servers, both } = await startPair();
  await both(async ({ put, attach }) => {
    await put("a", { config: { key: "value".repeat(400) } });
    await put("b", { allowedIn: [red] });
    await attach(redIngress, [{ fqn: ext("a") }]);
  });
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(endingCalls, { minLength: 40, maxLength: 40, size: "max" }),
      async (calls) => {
        const [ours = [], theirs] = await Promise.all(
          servers.map(({ port }) =>
            Promise.all(calls.map(({ sent, http }) => openStream(port, sent, http).ended)),
          ),
        );
        expect(ours.map(answerOf)).toEqual(theirs?.map(answerOf));
        calls.forEach(({ name }, index) => {
          const received = ours[index];
          if (received !== undefined && !(received instanceof Error)) {
            const { status, headers, body } = received;
            const [, webStatus] = /grpc-status: (\d+)/.exec(body.toString("latin1")) ?? [];
            seen.add(`${name} ${headers.get("grpc-status") ?? webStatus ?? status}`);
          }
        });
      },
    ),
    { numRuns: 5 },
  );
  expect(seen.size).toBeGreaterThan(12);
  const [direct, connect] = servers.map(logged);
  expect(direct).toEqual(connect);
}, 60_000);

/** A call that lasts, and how many messages it is sent. */
interface Lasting extends Asked {
  /** Of what has been written before. */
  readonly first: number;
  /** Of each commit. */
  readonly perCommit: number;
  /** Of each commit that changes the chain. */
  readonly perChange: number;
}

/** After four commits. */
const lasting: readonly (Omit<Lasting, "http" | "sent"> & { readonly json: JsonObject })[] = [
  { name: "WatchService.Watch", json: { parent: acme }, first: 2, perCommit: 1, perChange: 1 },
  { name: "WatchService.Watch", json: { parent: red }, first: 2, perCommit: 1, perChange: 1 },
  {
    ...{ name: "WatchService.Watch", first: 3, perCommit: 1, perChange: 1 },
    json: { parent: acme, startRevision: "2" },
  },
  {
    ...{ name: "WatchService.Watch", first: 1, perCommit: 0, perChange: 0 },
    json: { parent: "organizations/empty" },
  },
  {
    ...{ name: "ChainService.WatchChain", first: 1, perCommit: 0, perChange: 1 },
    json: { target: redIngress },
  },
  { name: "Health.Watch", json: {}, first: 1, perCommit: 0, perChange: 0 },
  { name: "Health.Watch", json: { service: "unknown" }, first: 1, perCommit: 0, perChange: 0 },
];

const lastingCalls: fc.Arbitrary<Lasting> = fc.constantFrom(...lasting).chain((call) =>
  fc
    .record({
      http: fc.constantFrom(1 as const, 2 as const),
      form: formOf(contentTypes, [undefined, "99999999"]),
    })
    .map(({ http, form: { timeout, origin, ...form } }) => {
      const isGrpc = form.contentType.includes("grpc");
      // Those of gRPC over HTTP/1.1, and of other pages, are refused.
      const version = form.contentType.startsWith("application/grpc-web") || !isGrpc ? http : 2;
      const all = {
        ...form,
        timeout: timeout && `${timeout}${isGrpc ? "S" : ""}`,
        origin: origin && "http://localhost:3000",
      };
      return { ...call, http: version, sent: sentOf(methodOf(call.name), call.json, all) };
    }),
);

/** What is written: `b` is not in the chain, and is written several times at once. */
const writes = fc.record({
  size: fc.constantFrom(10, 1_000, 3_000, 100_000),
  burst: fc.constantFrom(0, 1, 5),
});

test("streams are sent the same, whatever is written, until the server goes down", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(lastingCalls, { minLength: 20, maxLength: 30, size: "max" }),
      fc.array(writes, { maxLength: 3 }),
      async (calls, rounds) => {
        const { servers, both } = await startPair();
        await both(async ({ put, attach }) => {
          await put("a");
          await attach(redIngress, [{ fqn: ext("a") }]);
          await put("b", { config: { text: "x".repeat(2_000) } });
          await put("c", { allowedIn: [red] });
        });
        const streams = servers.map(({ port }) =>
          calls.map(({ sent, http }) => openStream(port, sent, http)),
        );
        const expected = calls.map(({ first }) => first);
        const allCome = (): Promise<void> =>
          until(
            () => streams.every((of) => of.every((each, at) => hasCome(each, expected[at] ?? 0))),
            "all have been sent all messages",
          );
        const commit = async (
          times: number,
          isOfChain: boolean,
          work: (catalog: Acme) => Promise<void>,
        ): Promise<void> => {
          await both(work);
          calls.forEach(({ perCommit, perChange }, at) => {
            expected[at] = (expected[at] ?? 0) + times * (isOfChain ? perChange : perCommit);
          });
          await allCome();
        };
        await allCome();
        for (const [count, { size, burst }] of rounds.entries()) {
          const text = "x".repeat(size);
          await commit(1, true, ({ put }) => put("a", { priority: count + 1, config: { text } }));
          await commit(burst, false, async ({ put }) => {
            for (let index = 0; index < burst; index++) {
              await put("b", { priority: 10 * count + index + 1, config: { text } });
            }
          });
          await commit(1, true, ({ attach }) =>
            attach(redIngress, [{ fqn: ext("a"), config: { count, text } }]),
          );
        }
        const ended = streams.map((of) => Promise.all(of.map(({ ended: end }) => end)));
        await Promise.all(servers.map((server) => server.close()));
        const [ours, theirs] = (await Promise.all(ended)).map((of) => of.map(answerOf));
        expect(ours).toEqual(theirs);
        const [direct, connect] = servers.map(logged);
        expect(direct).toEqual(connect);
      },
    ),
    { numRuns: 4 },
  );
}, 60_000);

const hasCome = (stream: RawStream, count: number): boolean => stream.messages() >= count;
