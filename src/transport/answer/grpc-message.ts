/**
 * Writes the message of a gRPC status as the protocol says: percent-encoded, except printable ASCII.
 * Connect encodes punctuation too, which clients that decode only printable ASCII show undecoded.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 *
 * @param encoded - the message as Connect encodes it
 */
export function grpcMessage(encoded: string): string {
  return decodeURIComponent(encoded).replaceAll(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}
