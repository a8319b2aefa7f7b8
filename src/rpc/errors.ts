/*
 * The one place where refusals become RPC errors.
 *
 * Every error carries a google.rpc.ErrorInfo, INVALID_ARGUMENT also a google.rpc.BadRequest and a
 * buf.validate.Violations, and an error about preconditions a google.rpc.PreconditionFailure. Errors come
 * from the catalog, and from Connect for requests that never reach a service.
 */
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { violationToProto } from "@bufbuild/protovalidate";
import { ViolationsSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import type {
  CatalogError,
  CatalogErrorKind,
  FieldViolation,
  Precondition,
} from "../catalog/errors.ts";

const domain = "wasmext";

/**
 * How many bytes of field problems an error lists. gRPC sends them as a trailer, and several
 * implementations refuse metadata over 8 KiB; the ErrorInfo says how many there are in all.
 */
const maxProblemBytes = 2048;

/** Longest message, field path and value of metadata, in bytes of UTF-8; see maxProblemBytes. */
const maxMessage = 1024;
const maxField = 512;
const maxMetadata = 256;

const codes: Readonly<Record<CatalogErrorKind, Code>> = {
  invalid: Code.InvalidArgument,
  "not-found": Code.NotFound,
  "already-exists": Code.AlreadyExists,
  conflict: Code.Aborted,
  "failed-precondition": Code.FailedPrecondition,
  "too-large": Code.ResourceExhausted,
  "out-of-range": Code.OutOfRange,
  "too-slow": Code.ResourceExhausted,
  "too-many": Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  unauthenticated: Code.Unauthenticated,
  "permission-denied": Code.PermissionDenied,
};

/** The RPC error for a refusal of the catalog. */
export function connectErrorOf(error: CatalogError): ConnectError {
  const { kind, reason, message, metadata, violations = [], preconditions } = error.refusal;
  const details: Detail[] = [errorInfo(reason, metadata)];
  if (kind === "invalid") {
    details.push(...invalidDetails(violations));
  }
  if (preconditions !== undefined) {
    details.push(preconditionDetail(reason, preconditions));
  }
  return new ConnectError(cut(message, maxMessage), codes[kind], undefined, details, error);
}

/** The RPC error for a failure of the server itself: it says nothing of the cause, but keeps it. */
export function internalError(cause: unknown): ConnectError {
  return new ConnectError(
    "internal error; the server's log says more",
    Code.Internal,
    undefined,
    [errorInfo("INTERNAL", {})],
    cause,
  );
}

/** An RPC error that is raised outside of the catalog, with a reason for programs. */
export function rpcError(
  code: Code,
  reason: string,
  message: string,
  metadata: Readonly<Record<string, string>> = {},
): ConnectError {
  if (code === Code.InvalidArgument) {
    return unreadableRequest(reason, message, "");
  }
  return new ConnectError(cut(message, maxMessage), code, undefined, [errorInfo(reason, metadata)]);
}

/**
 * The RPC error for a request that cannot be read.
 *
 * @param field - the path of the field at fault; empty where the request is at fault as a whole
 */
export function unreadableRequest(reason: string, message: string, field: string): ConnectError {
  const description = cut(message, maxMessage);
  // The path holds keys as they were sent: of any length, and not always well-formed.
  const path = cut(field, maxField);
  const violation = { message: description, ruleId: "wasmext.readable", field: fieldPath(path) };
  return new ConnectError(description, Code.InvalidArgument, undefined, [
    errorInfo(reason, {}),
    { desc: BadRequestSchema, value: { fieldViolations: [{ field: path, description }] } },
    { desc: ViolationsSchema, value: { violations: [violation] } },
  ]);
}

/** The same error with headers, for protocols that say more in them. */
export function withHeaders(
  { rawMessage, code, details, cause }: ConnectError,
  headers: Readonly<Record<string, string>>,
): ConnectError {
  const outgoing = details.filter((detail) => "desc" in detail);
  return new ConnectError(rawMessage, code, headers, outgoing, cause);
}

/** Tells whether an error already says why in the form that every error has. */
export function hasErrorInfo(error: ConnectError): boolean {
  return error.findDetails(ErrorInfoSchema).length > 0;
}

/** A path as protovalidate writes it, by the names alone: what cannot be read has no types. */
function fieldPath(path: string) {
  const steps = [...path.matchAll(/(\w+)(?:\[(\d+)\])?/g)].map(([, fieldName = "", index]) => ({
    fieldName,
    ...(index !== undefined && {
      subscript: { case: "index" as const, value: BigInt(index) },
    }),
  }));
  return { elements: steps };
}

function invalidDetails(problems: readonly FieldViolation[]): Detail[] {
  const listed = firstOf(problems, ({ field, description, violation }) => [
    ...[field, field],
    ...[description, violation.message],
  ]);
  const fieldViolations = listed.map(({ field, description }) => ({ field, description }));
  const violations = listed.map(({ violation }) => violationToProto(violation)[0]);
  return [
    { desc: BadRequestSchema, value: { fieldViolations } },
    { desc: ViolationsSchema, value: create(ViolationsSchema, { violations }) },
  ];
}

function preconditionDetail(type: string, problems: readonly Precondition[]): Detail {
  const listed = firstOf(problems, ({ subject, description }) => [type, subject, description]);
  const violations = listed.map((problem) => ({ type, ...problem }));
  return { desc: PreconditionFailureSchema, value: { violations } };
}

/** The first of the problems, as many as an error lists; one at least. */
function firstOf<Problem>(
  problems: readonly Problem[],
  textsOf: (problem: Problem) => readonly string[],
): Problem[] {
  let bytes = 0;
  return problems.filter((problem, index) => {
    bytes += textsOf(problem).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    return index === 0 || bytes <= maxProblemBytes;
  });
}

function errorInfo(reason: string, metadata: Readonly<Record<string, string>>): Detail {
  const short = Object.entries(metadata).map(([name, value]) => [name, cut(value, maxMetadata)]);
  const value = { reason, domain, metadata: Object.fromEntries(short) as Record<string, string> };
  return { desc: ErrorInfoSchema, value };
}

interface Detail<Desc extends DescMessage = DescMessage> {
  readonly desc: Desc;
  readonly value: MessageInitShape<Desc>;
}

/** A text that an error can carry in every protocol: none has a form for unpaired surrogates. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  // A character that is cut in two decodes to a replacement, which goes as well.
  return bytes.byteLength > maxBytes
    ? `${bytes
        .subarray(0, maxBytes)
        .toString()
        .replace(/\ufffd+$/, "")}…`
    : text.toWellFormed();
}
