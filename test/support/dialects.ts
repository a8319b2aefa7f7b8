/*
 * The four ways to call the server, down to the bytes.
 */
import { gunzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { overHttp1, overHttp2, type Received, type Sent } from "./exchange.ts";

/** A protocol and a format, as a client speaks it on the wire. */
export interface Dialect {
  readonly name: string;
  readonly contentType: string;
  readonly format: "json" | "binary";
  /** The headers that this protocol has for these. */
  readonly timeoutHeader: string;
  readonly encodingHeader: string;
  /** Puts a message in an envelope, if the protocol has one. */
  wrap(message: Uint8Array | string, flags?: number): Uint8Array;
  /** Sends a request; resolves with the error it is answered with, or undefined for success. */
  send(port: number, sent: Sent): Promise<ConnectError | undefined>;
}

const connect = {
  timeoutHeader: "connect-timeout-ms",
  encodingHeader: "content-encoding",
  wrap: (message: Uint8Array | string): Uint8Array => Buffer.from(message),
};

const enveloped = {
  timeoutHeader: "grpc-timeout",
  encodingHeader: "grpc-encoding",
  wrap: (message: Uint8Array | string, flags = 0): Uint8Array =>
    encodeEnvelope(flags, Buffer.from(message)),
};

export const connectJson: Dialect = {
  ...connect,
  name: "Connect JSON",
  contentType: "application/json",
  format: "json",
  send: async (port, sent) => connectError(await overHttp1(port, typed(connectJson, sent))),
};

export const connectProto: Dialect = {
  ...connect,
  name: "Connect proto",
  contentType: "application/proto",
  format: "binary",
  send: async (port, sent) => connectError(await overHttp1(port, typed(connectProto, sent))),
};

export const grpc: Dialect = {
  ...enveloped,
  name: "gRPC",
  contentType: "application/grpc",
  format: "binary",
  async send(port, sent) {
    const headers = { te: "trailers", ...sent.headers };
    return grpcError(await overHttp2(port, typed(grpc, { ...sent, headers })));
  },
};

export const grpcWeb: Dialect = {
  ...enveloped,
  name: "gRPC-Web",
  contentType: "application/grpc-web+proto",
  format: "binary",
  send: async (port, sent) => grpcWebError(await overHttp1(port, typed(grpcWeb, sent))),
};

export const dialects: readonly Dialect[] = [connectJson, connectProto, grpc, grpcWeb];
export const binaryDialects = dialects.filter(({ format }) => format === "binary");
/** Those that put each message in an envelope. */
export const envelopedDialects: readonly Dialect[] = [grpc, grpcWeb];

function typed({ contentType }: Dialect, sent: Sent): Sent {
  return { ...sent, headers: { "content-type": contentType, ...sent.headers } };
}

/** The error of a Connect answer; undefined for success. */
export function connectError({ status, headers, body }: Received): ConnectError | undefined {
  if (status === 200) {
    return undefined;
  }
  // A request in gzip is answered in gzip.
  const json = headers.get("content-encoding") === "gzip" ? gunzipSync(body) : body;
  const unreadable = new ConnectError(
    `HTTP ${status} that is no Connect error: ${json.toString()}`,
  );
  return errorFromJsonBytes(json, headers, unreadable);
}

function grpcError({ status, headers, body }: Received): ConnectError | undefined {
  return headers.has("grpc-status")
    ? findTrailerError(headers)
    : new ConnectError(`HTTP ${status} without a gRPC status: ${body.toString()}`, Code.Unknown);
}

/** One byte of flags and four of length. */
const envelopeBytes = 5;

function grpcWebError(received: Received): ConnectError | undefined {
  for (let rest = received.body; rest.length >= envelopeBytes;) {
    const content = rest.subarray(envelopeBytes, envelopeBytes + rest.readUInt32BE(1));
    if ((rest.readUInt8() & trailerFlag) !== 0) {
      return grpcError({ ...received, headers: trailerParse(content) });
    }
    rest = rest.subarray(envelopeBytes + content.length);
  }
  // A refusal may stand in the headers alone.
  return grpcError(received);
}
