/* The ends of streams, as the protocols write them. */
import type { ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { createEndStreamSerialization, endStreamFlag } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { jsonOptions } from "../../wire/options.ts";
import type { Protocol } from "../request/call-shape.ts";
import { framed } from "./frames.ts";
import { grpcStatus } from "./grpc-status.ts";

/** What a stream ends with. */
export interface StreamEnd {
  /** The last of the body; undefined for nothing. */
  readonly body: Buffer | undefined;
  /** What follows the body; undefined for nothing. */
  readonly trailers: Readonly<Record<string, string>> | undefined;
}

const endStream = createEndStreamSerialization(jsonOptions);

/** The end of a stream that ends with an error. */
export async function streamEnd(
  protocol: Protocol,
  error: ConnectError,
  compression: Compression | undefined,
): Promise<StreamEnd> {
  switch (protocol) {
    case "grpc":
      return { body: undefined, trailers: grpcStatus(error) };
    case "grpc-web": {
      const status = trailerSerialize(setTrailerStatus(new Headers(), error));
      return { body: await framed(status, compression, trailerFlag), trailers: undefined };
    }
    default: {
      const end = endStream.serialize({ metadata: new Headers(), error });
      return { body: await framed(end, compression, endStreamFlag), trailers: undefined };
    }
  }
}
