/**
 * Writes the message of a gRPC status as the protocol says: percent-encoded, but for printable ASCII.
 * Connect encodes punctuation too, which clients that decode no more than they must show as it is.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 *
 * @param encoded - the message as Connect encodes it
 */
export function grpcMessage(encoded: string): string {
  return decodeURIComponent(encoded).replaceAll(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}
