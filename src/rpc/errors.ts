/*
 * The one place where refusals become RPC errors.
 *
 * Every error that leaves the server carries a google.rpc.ErrorInfo, INVALID_ARGUMENT also a
 * google.rpc.BadRequest and a buf.validate.Violations. Two sources feed it: refusals of the catalog,
 * and what Connect itself raises about a request that never reaches a service.
 */
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { violationToProto } from "@bufbuild/protovalidate";
import { ViolationsSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { CatalogError, CatalogErrorKind, FieldProblem } from "../catalog/errors.ts";

const domain = "wasmext";

/**
 * How many bytes of field problems an error lists. gRPC sends them as a trailer, and several
 * implementations refuse metadata over 8 KiB; the ErrorInfo says how many there are in all.
 */
const maxProblemBytes = 2048;

/** Longest message, and longest value of metadata, in characters; see maxProblemBytes. */
const maxMessage = 1024;
const maxMetadata = 256;

const codes: Readonly<Record<CatalogErrorKind, Code>> = {
  invalid: Code.InvalidArgument,
  "not-found": Code.NotFound,
  "already-exists": Code.AlreadyExists,
  conflict: Code.Aborted,
  "failed-precondition": Code.FailedPrecondition,
  "out-of-range": Code.OutOfRange,
};

/** The RPC error for a refusal of the catalog. */
export function connectErrorOf(error: CatalogError): ConnectError {
  const { kind, reason, message, metadata, violations } = error.refusal;
  const details: Detail[] = [errorInfo(reason, metadata)];
  if (kind === "invalid") {
    details.push(...invalidDetails(listed(violations ?? [])));
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
  const short = cut(message, maxMessage);
  const details: Detail[] = [errorInfo(reason, metadata)];
  if (code === Code.InvalidArgument) {
    details.push(...requestDetails(short));
  }
  return new ConnectError(short, code, undefined, details);
}

/** Tells whether an error already says why in the form that every error has. */
export function hasErrorInfo(error: ConnectError): boolean {
  return error.findDetails(ErrorInfoSchema).length > 0;
}

/** A request that cannot be read has no field path: the violation is the request's as a whole. */
function requestDetails(message: string): Detail[] {
  // The message has been cut, so the search is short.
  const [, known, unknown] =
    /cannot decode field [\w.]+\.(\w+)|key "(\w+)" is unknown/.exec(message) ?? [];
  const path = known ?? unknown ?? "";
  return [
    { desc: BadRequestSchema, value: { fieldViolations: [{ field: path, description: message }] } },
    { desc: ViolationsSchema, value: { violations: [{ message, ruleId: "wasmext.readable" }] } },
  ];
}

function invalidDetails(problems: readonly FieldProblem[]): Detail[] {
  const fieldViolations = problems.map(({ field, description }) => ({ field, description }));
  const violations = problems.map(({ violation }) => violationToProto(violation)[0]);
  return [
    { desc: BadRequestSchema, value: { fieldViolations } },
    { desc: ViolationsSchema, value: create(ViolationsSchema, { violations }) },
  ];
}

function listed(problems: readonly FieldProblem[]): FieldProblem[] {
  let bytes = 0;
  return problems.filter(({ field, description, violation }, index) => {
    bytes += 2 * field.length + description.length + violation.message.length;
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

function cut(text: string, maxLength: number): string {
  return text.length > maxLength ? `${text.slice(0, maxLength).toWellFormed()}…` : text;
}
