import type { DescMethod } from "@bufbuild/protobuf";
import type { Path } from "@bufbuild/protobuf/reflect";
import { Code, createContextKey, type Interceptor } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { invalid } from "../catalog/errors.ts";
import { fieldProblem } from "../catalog/field-problem.ts";
import { rpcError } from "../rpc/errors.ts";
import { canHoldStruct, findKindlessStruct } from "./kindless.ts";

/** The bytes of a request as they arrived, kept where they say more than the parsed message. */
export interface KeptBody {
  readonly chunks: Uint8Array[];
  /** Whether the message stands in an envelope, as in gRPC and gRPC-Web. */
  readonly enveloped: boolean;
  /** The name of the compression that the request declares. */
  readonly encoding: string | undefined;
}

/** Finds the kept body in the context values of its request. */
export const bodyKey = createContextKey<KeptBody | undefined>(undefined, {
  description: "wasmext request body",
});

/**
 * Tells which requests need to be kept: binary ones that can hold a Struct.
 *
 * @param contentType - in lower case
 */
export function needsWireCheck(method: DescMethod, contentType: string): boolean {
  return (
    method.methodKind === "unary" && !contentType.includes("json") && canHoldStruct(method.input)
  );
}

/** Refuses binary requests with a Value that has no kind, which the parsed message shows as null. */
export function createWireCheck(
  compressions: readonly Compression[],
  maxBytes: number,
): Interceptor {
  return (next) => async (request) => {
    const body = request.contextValues.get(bodyKey);
    if (body !== undefined && !request.stream) {
      const bytes = await messageBytes(body, compressions, maxBytes);
      const path = pathOfKindless(request.method, bytes);
      if (path !== undefined) {
        const text = "holds a value without a kind; set one of its kinds, null_value for null";
        throw invalid([fieldProblem(path, "json_form", text)]);
      }
    }
    return next(request);
  };
}

function pathOfKindless({ input }: DescMethod, bytes: Uint8Array): Path | undefined {
  try {
    return findKindlessStruct(input, bytes);
  } catch (error) {
    const problem = `the request cannot be read: ${error instanceof Error ? error.message : ""}`;
    const remedy = "send the binary encoding of the service's proto";
    throw rpcError(Code.InvalidArgument, "UNREADABLE_REQUEST", `${problem}; ${remedy}`);
  }
}

/** An envelope is one byte of flags, of which the lowest says compressed, and four of length. */
export const envelopeBytes = 5;

async function messageBytes(
  { chunks, enveloped, encoding }: KeptBody,
  compressions: readonly Compression[],
  maxBytes: number,
): Promise<Uint8Array> {
  const all = Buffer.concat(chunks);
  const isCompressed = enveloped ? ((all[0] ?? 0) & 1) === 1 : encoding !== undefined;
  const message = enveloped ? all.subarray(envelopeBytes) : all;
  const compression = compressions.find(({ name }) => name === encoding);
  return isCompressed && compression !== undefined
    ? compression.decompress(message, maxBytes)
    : message;
}
