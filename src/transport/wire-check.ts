/*
 * What is looked at in the bytes of a request before it is parsed: how much there is to build, since a
 * few megabytes can make millions of objects, and what the parsed message does not show any more.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { invalid } from "../catalog/errors.ts";
import { fieldProblem } from "../catalog/field-problem.ts";
import { connectErrorOf, rpcError } from "../rpc/errors.ts";
import { canHoldStruct, findKindlessStruct, TooManyRecords } from "./kindless.ts";

/** A request as it arrived. */
export interface RawRequest {
  readonly method: DescMethod;
  /** In lower case. */
  readonly contentType: string;
  /** The name of the compression that the request declares. */
  readonly encoding: string | undefined;
  readonly body: Buffer;
}

/**
 * How many values a request may hold, of whatever kind: somewhat more than what the rules of the
 * catalog let pass.
 */
const maxValues = 130_000;

/** A value of a Struct takes up to four fields in binary: its entry, key, value, and kind. */
const maxRecords = 5 * maxValues;

/**
 * Refuses a request that holds far too many values, or, in binary, a Value without a kind, which the
 * parsed message shows as null. Leaves alone what Connect will refuse to read.
 */
export async function checkWire(
  request: RawRequest,
  compressions: readonly Compression[],
  maxBytes: number,
): Promise<void> {
  if (!canHoldStruct(request.method.input)) {
    return;
  }
  const message = await messageBytes(request, compressions, maxBytes);
  if (message === undefined) {
    return;
  }
  if (request.contentType.includes("json")) {
    if (countValues(message) > maxValues) {
      throw tooManyValues();
    }
  } else {
    checkBinary(request.method, message);
  }
}

function checkBinary({ input }: DescMethod, message: Uint8Array): void {
  let path;
  try {
    path = findKindlessStruct(input, message, maxRecords);
  } catch (error) {
    if (error instanceof TooManyRecords) {
      throw tooManyValues();
    }
    const problem = `the request cannot be read: ${error instanceof Error ? error.message : ""}`;
    const remedy = "send the binary encoding of the service's proto";
    throw rpcError(Code.InvalidArgument, "UNREADABLE_REQUEST", `${problem}; ${remedy}`);
  }
  if (path !== undefined) {
    const text = "holds a value without a kind; set one of its kinds, null_value for null";
    throw connectErrorOf(invalid([fieldProblem(path, "json_form", text)]));
  }
}

function tooManyValues(): ConnectError {
  const problem = `the request holds more than ${maxValues} values`;
  return rpcError(Code.InvalidArgument, "TOO_MANY_VALUES", `${problem}; send fewer`);
}

const [comma, quote, backslash] = [0x2c, 0x22, 0x5c];

/** Counts the values of a JSON text by the commas between them; its validity does not matter. */
function countValues(json: Uint8Array): number {
  let count = 1;
  let isInString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === quote) {
      isInString = !isInString;
    } else if (isInString) {
      if (byte === backslash) {
        at++;
      }
    } else if (byte === comma) {
      count++;
    }
  }
  return count;
}

/** An envelope is one byte of flags, of which the lowest says compressed, and four of length. */
export const envelopeBytes = 5;

/** The message of a request; undefined if its envelope or its compression is not what it says. */
async function messageBytes(
  { contentType, encoding, body }: RawRequest,
  compressions: readonly Compression[],
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const isEnveloped = contentType.startsWith("application/grpc");
  if (isEnveloped && body.byteLength < envelopeBytes) {
    return undefined;
  }
  if (isEnveloped && body.readUInt32BE(1) !== body.byteLength - envelopeBytes) {
    return undefined;
  }
  const message = isEnveloped ? body.subarray(envelopeBytes) : body;
  const isCompressed = isEnveloped ? ((body[0] ?? 0) & 1) === 1 : encoding !== undefined;
  if (!isCompressed) {
    return message;
  }
  try {
    return await compressions.find(({ name }) => name === encoding)?.decompress(message, maxBytes);
  } catch {
    return undefined;
  }
}
