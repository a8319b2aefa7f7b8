/* Short forms for the parts of requests. */
import { create } from "@bufbuild/protobuf";
import {
  type Compare,
  Compare_CompareResult as Is,
  Compare_CompareTarget as Target,
  CompareSchema,
  type RangeRequest,
  type RequestOp,
  RequestOpSchema,
  type TxnRequest,
  TxnRequestSchema,
} from "../../../gen/etcdserverpb/rpc_pb.ts";
import type { KeyRange } from "./keys.ts";

/** How many operations a transaction has at most. Etcd takes 128 by default, and counts those of a failure too. */
export const maxOperations = 100;
/** How many bytes a request has at most, about. Etcd takes 1.5 MiB by default. */
export const maxRequestBytes = 1024 * 1024;
/** How many bytes a value has at most, so that it fits into a request with others. */
export const maxValueBytes = 512 * 1024;

/** An operation, with its size. */
export interface Operation {
  readonly request: RequestOp;
  readonly bytes: number;
}

/** Puts a value. */
export function put(key: Uint8Array, value: Uint8Array): Operation {
  return {
    request: create(RequestOpSchema, { request: { case: "requestPut", value: { key, value } } }),
    bytes: key.byteLength + value.byteLength + 16,
  };
}

/** Deletes a key, or a range of keys. */
export function remove(range: Uint8Array | KeyRange): Operation {
  const value = range instanceof Uint8Array ? { key: range } : { ...range };
  return {
    request: create(RequestOpSchema, { request: { case: "requestDeleteRange", value } }),
    bytes: value.key.byteLength * 2 + 16,
  };
}

/** Reads in a transaction. */
export function read(range: Partial<Omit<RangeRequest, "$typeName" | "$unknown">>): RequestOp {
  return create(RequestOpSchema, { request: { case: "requestRange", value: range } });
}

/** The key was last changed at a revision; 0 if it does not exist. */
export function isAt(key: Uint8Array, modRevision: bigint): Compare {
  return create(CompareSchema, {
    target: Target.MOD,
    result: Is.EQUAL,
    key,
    targetUnion: { case: "modRevision", value: modRevision },
  });
}

/** The key exists. */
export function exists(key: Uint8Array): Compare {
  return create(CompareSchema, {
    target: Target.VERSION,
    result: Is.GREATER,
    key,
    targetUnion: { case: "version", value: 0n },
  });
}

/** A transaction that does operations if comparisons hold, and reads otherwise. */
export function transaction(
  compare: readonly Compare[],
  operations: readonly Operation[],
  otherwise: readonly RequestOp[] = [],
): TxnRequest {
  return create(TxnRequestSchema, {
    compare: [...compare],
    success: operations.map(({ request }) => request),
    failure: [...otherwise],
  });
}

/** Divides operations into transactions. */
export function batchesOf(operations: readonly Operation[]): Operation[][] {
  const batches: Operation[][] = [];
  let batch: Operation[] = [];
  let bytes = 0;
  for (const operation of operations) {
    if (
      batch.length > 0 &&
      (batch.length === maxOperations || bytes + operation.bytes > maxRequestBytes)
    ) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(operation);
    bytes += operation.bytes;
  }
  return batch.length === 0 ? batches : [...batches, batch];
}

/** Cuts bytes into values. */
export function partsOf(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < bytes.byteLength || start === 0; start += maxValueBytes) {
    parts.push(bytes.subarray(start, start + maxValueBytes));
  }
  return parts;
}
