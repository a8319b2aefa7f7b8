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

/** The body of an answer; when it has ended, the message in the trailer is brought to that form. */
export async function* withGrpcMessage(
  body: AsyncIterable<Uint8Array>,
  trailer: Headers,
): AsyncGenerator<Uint8Array> {
  yield* body;
  const message = trailer.get("grpc-message");
  if (message !== null) {
    trailer.set("grpc-message", grpcMessage(message));
  }
}
