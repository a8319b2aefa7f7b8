/*
 * Conversations in gRPC, in binary. They are what Connect serves, but the pieces of an answer go to the wire as
 * they are: proxies share the modules in their configurations, and nothing is kept of an answer that was sent.
 */
import type { Message } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  createLinkedAbortController,
  createMethodSerializationLookup,
  pipe,
  transformDecompressEnvelope,
  transformParseEnvelope,
  transformSplitEnvelope,
  type UniversalServerRequest,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { contentTypeProto, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import type { Answer } from "../methods/answer.ts";
import { answerConversation } from "../methods/answer-call.ts";
import type { MethodRow } from "../methods/table.ts";
import { binaryOptions, jsonOptions } from "../wire/options.ts";
import { joinSmall, type Pieces, sizeOf } from "../wire/pieces.ts";
import { callReportKey } from "./call-report.ts";
import { endedBy } from "./ended-by.ts";
import { originKey } from "./origin.ts";
import { principalKey } from "./principal.ts";
import type { Environment } from "./routes.ts";
import { toRpcError } from "./to-rpc-error.ts";

/** A method with its descriptor. */
export type ConversationRow = Extract<MethodRow, { readonly kind: "conversation" }>;

/** Tells whether a request is one that such a handler answers; Connect answers all others. */
export function isPlainGrpc({ header }: UniversalServerRequest): boolean {
  const isBinary = /^application\/grpc(?:\+proto)?$/.test(header.get("content-type") ?? "");
  return isBinary && header.get("grpc-timeout") === null;
}

/** Creates a handler of a method. */
export function createConversationHandler(
  { desc, method }: ConversationRow,
  environment: Environment,
  maxRequestBytes: number,
): (request: UniversalServerRequest) => UniversalServerResponse {
  const limits = { readMaxBytes: maxRequestBytes, writeMaxBytes: 2 ** 31 };
  const lookup = createMethodSerializationLookup(desc, binaryOptions, jsonOptions, limits);
  return ({ contextValues, signal, body }) => {
    const ending = createLinkedAbortController(signal);
    const principal = contextValues?.get(principalKey) ?? environment.principal;
    if (principal === undefined || contextValues === undefined) {
      throw new Error(`the context of ${desc.name} has no caller`);
    }
    const requests = pipe(
      body as AsyncIterable<Uint8Array>,
      transformSplitEnvelope(maxRequestBytes),
      transformDecompressEnvelope(null, maxRequestBytes),
      transformParseEnvelope<Message>(lookup.getI(true)),
    );
    const origin = contextValues.get(originKey);
    const call = { ...environment, principal, method: desc.name, signal: ending.signal, origin };
    const answers = answerConversation(method, (until) => endedBy(until, requests), call);
    const trailer = new Headers({ "grpc-status": "0" });
    const onError = (raised: unknown): void => {
      const error = toRpcError(raised);
      contextValues.get(callReportKey)(
        error.code,
        error.code === Code.Internal ? raised : undefined,
      );
      setTrailerStatus(trailer, error);
    };
    return {
      status: 200,
      header: new Headers({ "content-type": contentTypeProto }),
      body: { [Symbol.asyncIterator]: () => chunksOf(answers, ending, onError) },
      trailer,
    };
  };
}

/** The chunks of answers. An iterator of its own, since a generator would keep the last chunk until the next one. */
function chunksOf(
  answers: AsyncGenerator<Answer<Message>>,
  ending: AbortController,
  onError: (raised: unknown) => void,
): AsyncIterator<Uint8Array> {
  const waiting: Uint8Array[] = [];
  const advance = async (): Promise<boolean> => {
    const next = await answers.next();
    if (next.done === true) {
      return false;
    }
    for (const piece of framed(next.value.pieces?.() ?? [next.value.bytes()])) {
      waiting.push(...partsOf(piece));
    }
    return true;
  };
  const end = { done: true, value: undefined } as const;
  return {
    async next() {
      try {
        while (waiting.length === 0) {
          if (!(await advance())) {
            ending.abort();
            return end;
          }
        }
      } catch (raised) {
        onError(raised);
        ending.abort();
        return end;
      }
      const value = waiting.shift();
      return value === undefined ? end : { done: false, value };
    },
    return() {
      ending.abort();
      // It ends when what it waits for has been interrupted.
      void answers.return(undefined).catch(() => undefined);
      return Promise.resolve(end);
    },
  };
}

/** How much is handed over at once, in bytes. */
const partBytes = 128 * 1024;

/**
 * The parts in which a piece is written. Proxies share the large ones, so that the whole of them does not count
 * as unread: clients that never read would have the answers of all others given up.
 */
function* partsOf(piece: Uint8Array): Generator<Uint8Array, void> {
  for (let at = 0; at < piece.byteLength; at += partBytes) {
    yield piece.subarray(at, at + partBytes);
  }
}

/** A message in its envelope. */
function framed(message: Pieces): Pieces {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(sizeOf(message), 1);
  return joinSmall([head, ...message]);
}
