/* Answers of one message, as the protocols write them. */
import {
  type Compression,
  compressedFlag,
  compressionNegotiate,
} from "@connectrpc/connect/protocol";
import { trailerFlag } from "@connectrpc/connect/protocol-grpc-web";
import type { RequestHead } from "../node-http.ts";
import type { CallShape, Format, Protocol } from "../request/call-shape.ts";
import { encodingHeaders } from "../request/encoding-headers.ts";
import { envelop } from "../request/envelopes.ts";

type Fields = Readonly<Record<string, string>>;

/** An answer that is known as a whole. */
export interface WholeAnswer {
  readonly headers: Fields;
  readonly body: Uint8Array;
  /** What follows the body; undefined for nothing. */
  readonly trailers: Fields | undefined;
}

/** From how many bytes on a message is compressed, if its reader accepts that. */
export const compressMinBytes = 1024;

/** What the reader of an answer accepts; undefined for no compression. */
export function acceptedCompression(
  protocol: Protocol,
  { headers }: RequestHead,
  compressions: readonly Compression[],
): Compression | undefined {
  const { accept } = encodingHeaders[protocol];
  const accepted = headers[accept];
  if (accepted === undefined) {
    return undefined;
  }
  const { response } = compressionNegotiate([...compressions], null, String(accepted), accept);
  return response ?? undefined;
}

/** Writes a message as the answer of a call with one answer. */
export function wholeAnswer(
  { protocol, format }: CallShape,
  message: Uint8Array,
  compression: Compression | undefined,
): WholeAnswer | Promise<WholeAnswer> {
  const isCompressed = compression !== undefined && message.byteLength >= compressMinBytes;
  const finish = (body: Uint8Array): WholeAnswer =>
    protocol === "connect"
      ? unaryAnswer(format, body, isCompressed ? compression.name : undefined)
      : envelopedAnswer(protocol, format, body, compression?.name, isCompressed);
  return isCompressed ? compression.compress(message).then(finish) : finish(message);
}

function unaryAnswer(format: Format, body: Uint8Array, encoding: string | undefined): WholeAnswer {
  return {
    headers: {
      "content-type": `application/${format === "json" ? "json" : "proto"}`,
      ...(encoding !== undefined && { "content-encoding": encoding }),
      "content-length": String(body.byteLength),
    },
    body,
    trailers: undefined,
  };
}

/** An answer in an envelope. Its header names a compression even if this message is not compressed. */
function envelopedAnswer(
  protocol: Protocol,
  format: Format,
  message: Uint8Array,
  encoding: string | undefined,
  isCompressed: boolean,
): WholeAnswer {
  const envelope = envelop(message, isCompressed ? compressedFlag : 0);
  const headers = envelopedHeaders({ protocol, format }, encoding);
  return protocol === "grpc"
    ? { headers, body: envelope, trailers: ok }
    : { headers, body: Buffer.concat([envelope, okOfGrpcWeb]), trailers: undefined };
}

/**
 * The headers of an answer whose messages have envelopes.
 *
 * @param encoding - the compression of the messages that are compressed
 */
export function envelopedHeaders(
  { protocol, format }: Pick<CallShape, "protocol" | "format">,
  encoding: string | undefined,
): Fields {
  const kind = protocol === "connect-stream" ? "connect" : protocol;
  return {
    "content-type": `application/${kind}+${format === "json" ? "json" : "proto"}`,
    ...(encoding !== undefined && { [encodingHeaders[protocol].encoding]: encoding }),
  };
}

const ok: Fields = { "grpc-status": "0" };
const okOfGrpcWeb = envelop(Buffer.from("grpc-status: 0\r\n"), trailerFlag);
