import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
} from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { maxStreamRequestBytes } from "../../src/server.ts";
import { useTarget } from "../support/target.ts";

const target = useTarget();

const tooLarge = expect.objectContaining({
  code: Code.ResourceExhausted,
  rawMessage: expect.stringMatching(/^the message is too large: .*; send less$/) as unknown,
}) as ConnectError;

// An open stream holds its last request several times over, and a connection may have 1,000 of them.
describe.each(["grpc", "connect in JSON"])(
  "over %s, a request that may be held for long is small",
  (name) => {
    const transport = (): ReturnType<typeof createGrpcTransport> => {
      const options = {
        baseUrl: `http://127.0.0.1:${target.port}`,
        sendCompression: compressionGzip,
      };
      return name === "grpc"
        ? createGrpcTransport(options)
        : createConnectTransport({ ...options, httpVersion: "2", useBinaryFormat: false });
    };

    test("that asks for a stream", async () => {
      const client = createClient(Health, transport());
      const watch = (service: string): Promise<IteratorResult<{ status: Status }>> =>
        client.watch({ service })[Symbol.asyncIterator]().next();
      await expect(watch("a".repeat(maxStreamRequestBytes))).rejects.toEqual(tooLarge);
      const first = await watch("a".repeat(maxStreamRequestBytes - 100));
      expect(first.value).toMatchObject({ status: Status.SERVICE_UNKNOWN });
    });

    test("that is sent in a stream", async () => {
      const client = createClient(ServerReflection, transport());
      const answers = client
        .serverReflectionInfo(
          (async function* () {
            for (const value of ["a", "a".repeat(maxStreamRequestBytes)]) {
              yield await Promise.resolve({
                messageRequest: { case: "fileByFilename" as const, value },
              });
            }
          })(),
        )
        [Symbol.asyncIterator]();
      expect((await answers.next()).value).toMatchObject({
        messageResponse: { case: "errorResponse" },
      });
      await expect(answers.next()).rejects.toEqual(tooLarge);
    });
  },
);
