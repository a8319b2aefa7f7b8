import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { Code } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { refused } from "../support/errors.ts";
import { protocols, startSecured } from "../support/secured.ts";
import { startServer } from "../support/server.ts";
import { read, type Reader, until } from "../support/stream.ts";

const parent = "organizations/acme";
const everything = [
  { resource: parent, permissions: ["READ", "CREATE", "WRITE", "DELETE"] },
] as const;

/** Opens a watch on a connection of its own. */
function watch(url: string, token?: string, startRevision?: bigint): Reader<unknown> {
  const [, connectBy] = protocols[0] ?? expect.fail("there are protocols");
  const client = createClient(WatchService, connectBy(url, token));
  const reader = read((options) =>
    client.watch({ parent, ...(startRevision !== undefined && { startRevision }) }, options),
  );
  onTestFinished(() => {
    reader.cancel();
  });
  return reader;
}

describe("a caller that has as many watches open as one may have", () => {
  test("is refused a further one, until one ends", async () => {
    await using server = await startServer({ maxWatches: 2 });
    const [first, second] = [watch(server.url), watch(server.url)];
    await Promise.all([first.next(), second.next()]);
    const { code, reason, message, metadata } = await refused(watch(server.url).next());
    expect({ code, reason }).toEqual({ code: Code.ResourceExhausted, reason: "TOO_MANY_WATCHES" });
    expect(message).toContain("--max-watches");
    expect(metadata).toEqual({ caller: "address 127.0.0.1", limit: "2" });
    first.cancel();
    // One call was refused before.
    await until(() => server.log.length === 2, "the first watch has ended");
    await watch(server.url).next();
  });

  test("is told by its principal, whatever connections it uses, and keeps nobody else from watching", async () => {
    await using secured = await startSecured(
      { pia: everything, ben: everything },
      { maxWatches: 1 },
    );
    const [pia, again, ben] = await Promise.all([
      secured.token("pia"),
      secured.token("pia", { jti: "2" }),
      secured.token("ben"),
    ]);
    await watch(secured.server.url, pia).next();
    const { reason, metadata } = await refused(watch(secured.server.url, again).next());
    expect({ reason, metadata }).toEqual({
      reason: "TOO_MANY_WATCHES",
      metadata: { caller: "principal pia", limit: "1" },
    });
    await watch(secured.server.url, ben).next();
  });

  test("can still watch health, as everybody can up to as many from one address", async () => {
    await using server = await startServer({ maxWatches: 1 });
    await watch(server.url).next();
    const health = createClient(Health, createGrpcTransport({ baseUrl: server.url }));
    const open = (): Reader<unknown> => {
      const reader = read((options) => health.watch({}, options));
      onTestFinished(() => {
        reader.cancel();
      });
      return reader;
    };
    await open().next();
    expect((await refused(open().next())).metadata["caller"]).toBe(
      "a caller of health at 127.0.0.1",
    );
    await health.check({});
  });
});

test("watches of chains count, over HTTP/1.1 too, and so does reflection", async () => {
  await using server = await startServer({ maxWatches: 1 });
  await watch(server.url).next();
  const overHttp1 = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
  const target = `${parent}/tenants/red/workspaces/w/securitygroups/g`;
  const chain = read((options) =>
    createClient(ChainService, overHttp1).watchChain({ target }, options),
  );
  expect((await refused(chain.next())).reason).toBe("TOO_MANY_WATCHES");
  const reflection = createClient(ServerReflection, createGrpcTransport({ baseUrl: server.url }));
  const conversation = read((options) => reflection.serverReflectionInfo(requests(), options));
  expect((await refused(conversation.next())).reason).toBe("TOO_MANY_WATCHES");
});

test("a watch that is refused, or fails, is none that is open", async () => {
  await using server = await startServer({ maxWatches: 1 });
  for (let time = 0; time < 3; time++) {
    expect((await refused(watch(server.url, undefined, -1n).next())).reason).toBe("INVALID_FIELDS");
  }
  const reflection = createClient(ServerReflection, createGrpcTransport({ baseUrl: server.url }));
  for (let time = 0; time < 3; time++) {
    for await (const answer of reflection.serverReflectionInfo(requests())) {
      expect(answer.messageResponse.case).toBe("listServicesResponse");
    }
  }
  await watch(server.url).next();
});

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of requests is asynchronous
async function* requests() {
  yield { messageRequest: { case: "listServices" as const, value: "" } };
}
