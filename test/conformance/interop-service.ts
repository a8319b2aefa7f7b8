/*
 * grpc.testing.TestService, as far as the interop client calls it:
 * https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md
 *
 * Its types come from descriptors that are read when the tests run, so the fields that are used are
 * declared here.
 */
import type { FileRegistry } from "@bufbuild/protobuf";
import type { Code, ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { DeliberateError } from "./deliberate-error.ts";
import { delay } from "./delay.ts";
import { serviceOf } from "./descriptors.ts";

interface EchoStatus {
  readonly code: Code | 0;
  readonly message: string;
}

interface UnaryRequest {
  readonly responseSize: number;
  readonly responseStatus?: EchoStatus;
}

interface InputRequest {
  readonly payload?: { readonly body: Uint8Array };
}

interface OutputRequest {
  readonly responseParameters: readonly { readonly size: number; readonly intervalUs: number }[];
  readonly responseStatus?: EchoStatus;
}

/** The routes of the test service. The services that clients must find missing are left out. */
export function interopRoutes(registry: FileRegistry): (router: ConnectRouter) => void {
  const service = serviceOf(registry, "grpc.testing.TestService");
  const methods = {
    emptyCall: () => ({}),
    unaryCall({ responseSize, responseStatus }: UnaryRequest, context: HandlerContext) {
      echoMetadata(context);
      raise(responseStatus);
      return { payload: { body: new Uint8Array(responseSize) }, serverId: "wasmext" };
    },
    async streamingInputCall(requests: AsyncIterable<InputRequest>) {
      let aggregatedPayloadSize = 0;
      for await (const { payload } of requests) {
        aggregatedPayloadSize += payload?.body.byteLength ?? 0;
      }
      return { aggregatedPayloadSize };
    },
    streamingOutputCall: answers,
    async *fullDuplexCall(requests: AsyncIterable<OutputRequest>, context: HandlerContext) {
      echoMetadata(context);
      for await (const request of requests) {
        raise(request.responseStatus);
        yield* answers(request, context);
      }
    },
  };
  return (router) => {
    router.service(service, methods as unknown as ServiceImpl<typeof service>);
  };
}

async function* answers({ responseParameters }: OutputRequest, { signal }: HandlerContext) {
  for (const { size, intervalUs } of responseParameters) {
    await delay(intervalUs / 1000, signal);
    yield { payload: { body: new Uint8Array(size) } };
  }
}

function raise(status: EchoStatus | undefined): void {
  if (status !== undefined && status.code !== 0) {
    throw new DeliberateError(status.code, status.message);
  }
}

function echoMetadata({ requestHeader, responseHeader, responseTrailer }: HandlerContext): void {
  copy("x-grpc-test-echo-initial", requestHeader, responseHeader);
  copy("x-grpc-test-echo-trailing-bin", requestHeader, responseTrailer);
}

function copy(name: string, from: Headers, to: Headers): void {
  const value = from.get(name);
  if (value !== null) {
    to.set(name, value);
  }
}
