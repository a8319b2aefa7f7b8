import { once } from "node:events";
import { connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
  WatchService,
} from "../../gen/wasmext/v1/watch_service_pb.ts";

/** A watch over gRPC of a client that reads nothing until it is told to. */
export interface StalledWatch {
  /** Reads all that the server sends until it ends the stream. */
  rest(): Promise<{ responses: WatchResponse[]; error: ConnectError | undefined }>;
}

/**
 * Opens a watch and does not read it. Client libraries read ahead, so this one speaks HTTP/2 itself,
 * with Node's default window of 64 KiB.
 */
export async function openStalledWatch(url: string, parent: string): Promise<StalledWatch> {
  const session = connect(url);
  const stream = session.request({
    ":method": "POST",
    ":path": `/${WatchService.typeName}/Watch`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const request = toBinary(WatchRequestSchema, create(WatchRequestSchema, { parent }));
  stream.end(Buffer.concat([envelopeHeader(request.byteLength), request]));
  await once(stream, "response");
  // A server that goes down gives up what is not read; `rest` raises that.
  stream.on("error", () => undefined);
  return {
    async rest() {
      const trailers = once(stream, "trailers") as Promise<[Record<string, string>]>;
      const body = await readAll(stream);
      const [headers] = await trailers;
      session.close();
      const fields = Object.entries(headers).filter(([, value]) => typeof value === "string");
      return { responses: responsesIn(body), error: findTrailerError(new Headers(fields)) };
    },
  };
}

async function readAll(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

const envelopeBytes = 5;

function envelopeHeader(length: number): Buffer {
  const header = Buffer.alloc(envelopeBytes);
  header.writeUInt32BE(length, 1);
  return header;
}

function responsesIn(body: Buffer): WatchResponse[] {
  const responses: WatchResponse[] = [];
  for (let at = 0; at < body.length;) {
    const end = at + envelopeBytes + body.readUInt32BE(at + 1);
    responses.push(fromBinary(WatchResponseSchema, body.subarray(at + envelopeBytes, end)));
    at = end;
  }
  return responses;
}
