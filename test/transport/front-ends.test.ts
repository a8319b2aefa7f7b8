/*
 * The front ends answer the same: random calls, valid and not, are made to two servers that differ in
 * nothing but that. Catalogs differ in what is random in them, which is left out of the comparison.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { services } from "../../src/methods/table.ts";
import { overHttp1, overHttp2, type Sent } from "../support/exchange.ts";
import { comparable, damage, formOf, requestOf, sentOf } from "../support/random-calls.ts";
import { type RunningServer, startServer } from "../support/server.ts";

let direct: RunningServer;
let connect: RunningServer;

beforeAll(async () => {
  direct = await startServer({ frontEnds: "all" });
  connect = await startServer({ frontEnds: "connect" });
});

afterAll(async () => {
  await direct.close();
  await connect.close();
});

const methods = services
  .flatMap((service) => service.methods)
  .filter(({ methodKind }) => methodKind === "unary");

const contentTypes = [
  ...["application/grpc", "application/grpc+proto", "application/grpc+json"],
  ...["application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json"],
  ...["application/proto", "application/json", "application/json; charset=utf-8"],
];

interface Asked {
  readonly method: DescMethod;
  readonly sent: Sent;
  readonly http: 1 | 2;
}

const timeouts = [undefined, undefined, "5S", "5000", "0n", "0", "soon", "99999999H"];

const calls: fc.Arbitrary<Asked> = fc.constantFrom(...methods).chain((method) =>
  fc
    .record({
      json: requestOf(method.input),
      http: fc.constantFrom(1 as const, 2 as const),
      form: formOf(contentTypes, timeouts),
      damage,
    })
    .map(({ json, http, form, damage: spoil }) => ({
      method,
      http,
      sent: sentOf(method, json, form, spoil),
    })),
);

test("random calls get the same answers", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(calls, async ({ method, sent, http }) => {
      const over = http === 1 ? overHttp1 : overHttp2;
      const [ours, theirs] = [await over(direct.port, sent), await over(connect.port, sent)];
      expect(comparable(ours)).toEqual(comparable(theirs));
      const { headers } = ours;
      seen.add(`${method.name} ${headers.get("grpc-status") ?? ours.status}`);
    }),
    { numRuns: 600 },
  );
  // Calls that are all refused alike would prove little.
  expect(seen.size).toBeGreaterThan(30);
});
