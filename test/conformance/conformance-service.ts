/*
 * The service of the Connect conformance suite, which does what the messages that it gets ask for. Its
 * types come from descriptors that are read when the tests run, so the fields that are used are
 * declared here.
 */
import { create, type FileRegistry, type Message, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { Code, ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { jsonOptions } from "../../src/wire/options.ts";
import { DeliberateError } from "./deliberate-error.ts";
import { messageOf, serviceOf } from "./descriptors.ts";
import { delay } from "./delay.ts";

interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

interface ErrorToRaise {
  readonly code: Code;
  readonly message?: string;
  readonly details: readonly Any[];
}

interface Definition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
}

interface UnaryDefinition extends Definition {
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: ErrorToRaise }
    | { readonly case: undefined };
}

interface StreamDefinition extends Definition {
  readonly responseData: readonly Uint8Array[];
  readonly error?: ErrorToRaise;
}

type UnaryRequest = Message & { readonly responseDefinition?: UnaryDefinition };
type StreamRequest = Message & { readonly responseDefinition?: StreamDefinition };
type BidiRequest = StreamRequest & { readonly fullDuplex: boolean };

/** An answer of any of the methods. */
interface Answer {
  readonly payload: { readonly data?: Uint8Array; readonly requestInfo?: RequestInfo };
}

/** The fields of a ConformancePayload.RequestInfo. */
type RequestInfo = Record<string, unknown>;

const packageName = "connectrpc.conformance.v1";

/** The routes of the conformance service. */
export function conformanceRoutes(registry: FileRegistry): (router: ConnectRouter) => void {
  const service = serviceOf(registry, `${packageName}.ConformanceService`);
  const infoType = messageOf(registry, `${packageName}.ConformancePayload.RequestInfo`);

  const methods = {
    unary: answerOnce,
    idempotentUnary: answerOnce,
    async clientStream(requests: AsyncIterable<UnaryRequest>, context: HandlerContext) {
      const received: UnaryRequest[] = [];
      for await (const request of requests) {
        received.push(request);
      }
      return respond(received, context);
    },
    async *serverStream(request: StreamRequest, context: HandlerContext) {
      const { responseDefinition: definition } = request;
      writeHeaders(definition, context);
      yield* respondAll(definition, [request], context);
    },
    async *bidiStream(requests: AsyncIterable<BidiRequest>, context: HandlerContext) {
      let definition: StreamDefinition | undefined;
      let isFullDuplex = false;
      let isFirst = true;
      let sent = 0;
      let received: BidiRequest[] = [];
      for await (const request of requests) {
        received.push(request);
        if (isFirst) {
          isFirst = false;
          isFullDuplex = request.fullDuplex;
          definition = request.responseDefinition;
          writeHeaders(definition, context);
        }
        if (isFullDuplex) {
          const data = definition?.responseData[sent];
          if (definition === undefined || data === undefined) {
            break;
          }
          await delay(definition.responseDelayMs, context.signal);
          const requestInfo =
            sent === 0 ? infoOf(received, context) : { requests: pack(received, context) };
          yield { payload: { data, requestInfo } };
          sent++;
          received = [];
        }
      }
      yield* respondAll(definition, received, context, sent);
    },
  };

  return (router) => {
    // Payloads hold messages of any type of the suite.
    router.service(service, methods as unknown as ServiceImpl<typeof service>, {
      jsonOptions: { ...jsonOptions, registry },
    });
  };

  function answerOnce(request: UnaryRequest, context: HandlerContext): Promise<Answer> {
    return respond([request], context);
  }

  async function respond(
    requests: readonly UnaryRequest[],
    context: HandlerContext,
  ): Promise<Answer> {
    const definition = requests[0]?.responseDefinition;
    writeHeaders(definition, context);
    const requestInfo = infoOf(requests, context);
    await delay(definition?.responseDelayMs ?? 0, context.signal);
    if (definition?.response.case === "error") {
      throw errorOf(definition.response.value, requestInfo);
    }
    return {
      payload: {
        requestInfo,
        ...(definition?.response.case === "responseData" && { data: definition.response.value }),
      },
    };
  }

  /** Sends what a definition asks for, but for what has been sent already, and then raises its error. */
  async function* respondAll(
    definition: StreamDefinition | undefined,
    requests: readonly StreamRequest[],
    context: HandlerContext,
    alreadySent = 0,
  ): AsyncGenerator<Answer> {
    if (definition === undefined) {
      return;
    }
    const { responseData, responseDelayMs, error } = definition;
    for (const [index, data] of responseData.entries()) {
      if (index >= alreadySent) {
        await delay(responseDelayMs, context.signal);
        const isFirst = index === 0;
        yield { payload: { data, ...(isFirst && { requestInfo: infoOf(requests, context) }) } };
      }
    }
    if (error !== undefined) {
      throw errorOf(error, responseData.length === 0 ? infoOf(requests, context) : undefined);
    }
  }

  function infoOf(requests: readonly Message[], context: HandlerContext): RequestInfo {
    const timeoutMs = context.timeoutMs();
    const query = [...new URL(context.url).searchParams];
    return {
      requests: pack(requests, context),
      requestHeaders: [...context.requestHeader].map(([name, value]) => ({ name, value: [value] })),
      ...(timeoutMs !== undefined && { timeoutMs: BigInt(Math.round(timeoutMs)) }),
      ...(context.requestMethod === "GET" && {
        connectGetInfo: { queryParams: query.map(([name, value]) => ({ name, value: [value] })) },
      }),
    };
  }

  function errorOf({ code, message = "", details }: ErrorToRaise, requestInfo?: RequestInfo) {
    const encoded = details.map(({ typeUrl, value }) => ({ type: typeNameOf(typeUrl), value }));
    if (requestInfo !== undefined) {
      const value = toBinary(infoType, create(infoType, requestInfo));
      encoded.push({ type: infoType.typeName, value });
    }
    return new DeliberateError(code, message, encoded);
  }
}

function pack(requests: readonly Message[], { method }: HandlerContext): Any[] {
  return requests.map((request) => anyPack(method.input, request));
}

function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

function writeHeaders(definition: Definition | undefined, context: HandlerContext): void {
  append(definition?.responseHeaders, context.responseHeader);
  append(definition?.responseTrailers, context.responseTrailer);
}

function append(headers: readonly Header[] = [], to: Headers): void {
  for (const { name, value } of headers) {
    for (const item of value) {
      to.append(name, item);
    }
  }
}
