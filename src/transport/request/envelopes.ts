import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "../../rpc/errors.ts";
import { messageTooLarge, unreadable } from "./read-errors.ts";
import { createReceived } from "./received.ts";

/** An envelope is one byte of flags and four of length. */
export const envelopeBytes = 5;

/** The flag of a message that is compressed; requests have no other. */
const compressedFlag = 1;

/** A message as it came in its envelope. */
export interface Enveloped {
  readonly isCompressed: boolean;
  readonly bytes: Uint8Array;
}

/**
 * Takes messages out of their envelopes, from a body that comes in chunks.
 *
 * Raises a ConnectError if an envelope is malformed, or announces more than `maxBytes`.
 *
 * @param hold - is told how many bytes have arrived and are not opened yet
 */
export async function* openEnvelopes(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  maxBytes: number,
  hold: (bytes: number) => void = () => undefined,
): AsyncGenerator<Enveloped, void> {
  const received = createReceived();
  let wanted = envelopeBytes;
  for await (const chunk of chunks) {
    hold(received.length + chunk.byteLength);
    // A message that has arrived as a whole is not copied.
    let rest = received.length === 0 ? view(chunk) : received.add(chunk);
    if (rest.length >= wanted) {
      received.clear();
      for (;;) {
        wanted = endOfEnvelope(rest, maxBytes);
        if (rest.length < wanted) {
          break;
        }
        yield open(rest.subarray(0, wanted));
        rest = rest.subarray(wanted);
      }
      hold(rest.length);
    }
    if (received.length === 0) {
      received.add(rest);
    }
  }
  if (received.length > 0) {
    throw incomplete();
  }
}

/**
 * Takes the one message of a call out of its envelope.
 *
 * Raises a ConnectError if there is none, or more than one.
 */
export function openOne(body: Uint8Array, maxBytes: number): Enveloped {
  if (body.byteLength === 0) {
    throw wrongNumber("no message");
  }
  const only = first(view(body), maxBytes);
  const rest = view(body).subarray(envelopeBytes + only.bytes.byteLength);
  if (rest.byteLength > 0) {
    first(rest, maxBytes);
    throw wrongNumber("more than one message");
  }
  return only;
}

/** Opens the first envelope. Raises a ConnectError if it is not complete. */
function first(bytes: Buffer, maxBytes: number): Enveloped {
  const end = endOfEnvelope(bytes, maxBytes);
  if (bytes.byteLength < end) {
    throw incomplete();
  }
  return open(bytes.subarray(0, end));
}

/** Puts a message in an envelope, which says with its flags what it holds. */
export function envelop(message: Uint8Array, flags = 0): Buffer {
  const envelope = Buffer.allocUnsafe(envelopeBytes + message.byteLength);
  envelope.writeUInt8(flags);
  envelope.writeUInt32BE(message.byteLength, 1);
  envelope.set(message, envelopeBytes);
  return envelope;
}

function open(envelope: Buffer): Enveloped {
  const flags = envelope.readUInt8();
  if (flags > compressedFlag) {
    throw unreadable(`an envelope has the flags ${flags}`, "send 0, or 1 for a compressed message");
  }
  return { isCompressed: flags === compressedFlag, bytes: envelope.subarray(envelopeBytes) };
}

function incomplete(): ConnectError {
  return unreadable("an envelope is not complete", "send as many bytes as it announces");
}

/** The answer of gRPC itself to a call with the wrong number of messages. */
function wrongNumber(what: string): ConnectError {
  const text = `the request has ${what}; send one`;
  return rpcError(Code.Unimplemented, "WRONG_NUMBER_OF_MESSAGES", text);
}

/** The end of the first envelope, or of its header while that is not complete. */
function endOfEnvelope(bytes: Buffer, maxBytes: number): number {
  if (bytes.length < envelopeBytes) {
    return envelopeBytes;
  }
  const length = bytes.readUInt32BE(1);
  if (length > maxBytes) {
    throw messageTooLarge(`its announced size of ${length} bytes`, maxBytes);
  }
  return envelopeBytes + length;
}

function view({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
