/*
 * The script of the page, which esbuild bundles and Chromium runs. All calls to the server are made
 * here; the tests see of them what a page sees, as JSON.
 */
import {
  create,
  type DescMethodUnary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { type Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health, type HealthCheckResponse_ServingStatus } from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
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

/** A method of the service WasmExtensions. */
export type Method = keyof typeof WasmExtensions.method;

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

/** What a Watch of the server's health says next: a status, or why it says no more. */
export type Report =
  { readonly status: HealthCheckResponse_ServingStatus } | { readonly refusal: Refusal };

/** A Watch of the server's health that is under way. */
export interface HealthWatch {
  next(): Promise<Report>;
  cancel(): void;
}

/** What the script offers to the tests. */
export interface PageScript {
  call(route: Route, method: Method, request: JsonObject): Promise<Outcome>;
  watchHealth(route: Route): HealthWatch;
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

globalThis.wasmext = {
  async call({ url, protocol, headers, deadlineMs }, name, request) {
    const transport = transports[protocol](url);
    const method: DescMethodUnary = WasmExtensions.method[name];
    const message = fromJson(method.input, request);
    const patience = AbortSignal.timeout(patienceMs);
    try {
      const response = await transport.unary(method, patience, deadlineMs, headers, message);
      return { answer: toJson(method.output, create(method.output, response.message)) };
    } catch (error) {
      return { refusal: refusalOf(error) };
    }
  },

  watchHealth({ url, protocol }) {
    const canceling = new AbortController();
    const signal = AbortSignal.any([canceling.signal, AbortSignal.timeout(patienceMs)]);
    const statuses = createClient(Health, transports[protocol](url)).watch({}, { signal });
    const reports = statuses[Symbol.asyncIterator]();
    return {
      async next() {
        try {
          const report = await reports.next();
          if (report.done === true) {
            throw new Error("the watch ended without an error");
          }
          return { status: report.value.status };
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
