import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import { createReadiness } from "../../src/journal/readiness.ts";
import { startServer } from "../support/server.ts";
import { read } from "../support/stream.ts";

test("a server whose store is out of touch is not ready, says so to those who watch, and lives", async () => {
  const { reader, journal } = createMemoryCatalog();
  const readiness = createReadiness();
  await using server = await startServer({
    catalog: { reader, journal: { ...journal, readiness } },
  });
  const page = async (path: string) => {
    const response = await fetch(`${server.url}${path}`);
    return `${response.status} ${await response.text()}`;
  };
  const client = createClient(Health, createGrpcTransport({ baseUrl: server.url }));
  const watch = read((options) => client.watch({}, options));
  expect((await watch.next()).status).toBe(Status.NOT_SERVING);
  expect((await client.check({})).status).toBe(Status.NOT_SERVING);
  expect(await page("/readyz")).toBe("503 not in touch with the store\n");
  expect(await page("/healthz")).toBe("200 ok\n");

  readiness.set(true);
  expect((await watch.next()).status).toBe(Status.SERVING);
  expect(await page("/readyz")).toBe("200 ok\n");

  readiness.set(false);
  expect((await watch.next()).status).toBe(Status.NOT_SERVING);
  watch.cancel();
});
