import type { Protocol } from "./call-shape.ts";

/** The headers of a protocol about compression. */
export interface EncodingHeaders {
  /** Says how messages are compressed. */
  readonly encoding: string;
  /** Says how messages of the other side may be compressed. */
  readonly accept: string;
}

const http: EncodingHeaders = { encoding: "content-encoding", accept: "accept-encoding" };
const grpc: EncodingHeaders = { encoding: "grpc-encoding", accept: "grpc-accept-encoding" };

/** The headers of each protocol. */
export const encodingHeaders: Readonly<Record<Protocol, EncodingHeaders>> = {
  connect: http,
  "connect-get": http,
  "connect-stream": {
    encoding: "connect-content-encoding",
    accept: "connect-accept-encoding",
  },
  grpc,
  "grpc-web": grpc,
};
