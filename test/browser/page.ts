/*
 * The script of the page, which esbuild bundles and Chromium runs. All calls to the server are made
 * here; the tests see of them what a page sees, as JSON.
 */
import {
  create,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { type Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../../gen/wasmext/v1/export_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import type { Protocol } from "./protocols.ts";

/** Which server to call, and how. */
export interface Route {
  readonly url: string;
  readonly protocol: Protocol;
  /** Headers to send with each call. */
  readonly headers?: Record<string, string>;
  /** The deadline to send with each call. */
  readonly deadlineMs?: number;
}

const methods = { ...WasmExtensions.method, ...ExportService.method };

/** A unary method that a page can call. */
export type Method = keyof typeof methods;

/** What a page can read from an error. */
export interface Refusal {
  readonly code: Code;
  readonly message: string;
  /** Of google.rpc.ErrorInfo; undefined if the error has none. */
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Record<string, string>;
  /** The fields of google.rpc.BadRequest. */
  readonly fields: string[];
}

/** How a call ended. */
export type Outcome = { readonly answer: JsonValue } | { readonly refusal: Refusal };

/** A watch that is under way. */
export interface Watch {
  /** What it says next, or why it says no more. */
  next(): Promise<Outcome>;
  cancel(): void;
}

/** What the script offers to the tests. */
export interface PageScript {
  call(route: Route, method: Method, request: JsonObject): Promise<Outcome>;
  watch(route: Route, what: Watched, request: JsonObject): Watch;
}

declare global {
  var wasmext: PageScript;
}

/** No call takes longer, in ms; the server does not learn of it. */
const patienceMs = 10_000;

const transports: Readonly<Record<Protocol, (baseUrl: string) => Transport>> = {
  "gRPC-Web": (baseUrl) => createGrpcWebTransport({ baseUrl }),
  "Connect with JSON": (baseUrl) => createConnectTransport({ baseUrl }),
  "Connect with binary": (baseUrl) => createConnectTransport({ baseUrl, useBinaryFormat: true }),
  "Connect with GET and JSON": (baseUrl) => createConnectTransport({ baseUrl, useHttpGet: true }),
  "Connect with GET and binary": (baseUrl) =>
    createConnectTransport({ baseUrl, useHttpGet: true, useBinaryFormat: true }),
};

const streams = {
  health: Health.method.watch,
  catalog: WatchService.method.watch,
  chain: ChainService.method.watchChain,
};

/** What a page can watch. */
export type Watched = keyof typeof streams;

globalThis.wasmext = {
  async call({ url, protocol, headers, deadlineMs }, name, request) {
    const transport = transports[protocol](url);
    const method: DescMethodUnary = methods[name];
    const message = fromJson(method.input, request);
    const patience = AbortSignal.timeout(patienceMs);
    try {
      const response = await transport.unary(method, patience, deadlineMs, headers, message);
      return { answer: toJson(method.output, create(method.output, response.message)) };
    } catch (error) {
      return { refusal: refusalOf(error) };
    }
  },

  watch(route, what, request) {
    const canceling = new AbortController();
    const signal = AbortSignal.any([canceling.signal, AbortSignal.timeout(patienceMs)]);
    const answers = stream(route, streams[what], request, signal);
    return {
      async next() {
        try {
          return { answer: (await answers.next()).value };
        } catch (error) {
          return { refusal: refusalOf(error) };
        }
      },
      cancel() {
        canceling.abort();
      },
    };
  },
};

async function* stream(
  { url, protocol, headers, deadlineMs }: Route,
  method: DescMethodServerStreaming,
  request: JsonObject,
  signal: AbortSignal,
): AsyncGenerator<JsonValue, never> {
  const messages = createAsyncIterable([fromJson(method.input, request)]);
  const transport = transports[protocol](url);
  const response = await transport.stream(method, signal, deadlineMs, headers, messages);
  for await (const message of response.message) {
    yield toJson(method.output, create(method.output, message));
  }
  throw new Error("the watch ended without an error");
}

function refusalOf(error: unknown): Refusal {
  const refusal = ConnectError.from(error);
  const [info] = refusal.findDetails(ErrorInfoSchema);
  const requests = refusal.findDetails(BadRequestSchema);
  return {
    code: refusal.code,
    message: refusal.rawMessage,
    reason: info?.reason,
    domain: info?.domain,
    metadata: info?.metadata ?? {},
    fields: requests.flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field)),
  };
}
