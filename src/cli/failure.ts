/*
 * Why a command fails, in lines for people. A command ends with a Failure, which it raises itself, or with
 * a ConnectError, from the server or from the connection.
 */
import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
} from "../../gen/google/rpc/error_details_pb.ts";

/** Is raised if a command cannot do what it was asked to; the command ends with exit code 1. */
export class Failure extends Error {
  /** One problem a line, with the remedy. Empty if all of them have been printed. */
  readonly lines: readonly string[];

  constructor(lines: string | readonly string[]) {
    const all = typeof lines === "string" ? [lines] : lines;
    super(all.join("\n"));
    this.lines = all;
  }
}

/** A violation that a server reports: of a field, or of a precondition. */
export interface FaultyPart {
  /** The path of a field, or the fqn of an object. */
  readonly name: string;
  readonly description: string;
}

/** The violations that a server reports; empty for other errors. */
export function faultyParts(error: ConnectError): FaultyPart[] {
  return [
    ...error
      .findDetails(BadRequestSchema)
      .flatMap(({ fieldViolations }) => fieldViolations)
      .map(({ field, description }) => ({ name: field, description })),
    ...error
      .findDetails(PreconditionFailureSchema)
      .flatMap(({ violations }) => violations)
      .map(({ subject, description }) => ({ name: subject, description })),
  ];
}

/** Why a server refused a call; undefined if the error is not a wasmext server's. */
export function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "wasmext")?.reason;
}

/** The revision from which a watch that has ended misses nothing; undefined if the error says none. */
export function nextRevisionOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.metadata["next_revision"];
}

/** The number of violations; an error lists only the first of them. */
function countOf(error: ConnectError): number {
  const [info] = error.findDetails(ErrorInfoSchema);
  return Number(info?.metadata["violations"] ?? 0);
}

/** Tells whether a server refused a request itself, so that other requests may succeed. */
export function isRefusal(error: ConnectError): boolean {
  return reasonOf(error) !== undefined && error.code !== Code.Unavailable;
}

/** Says what an error means to the person who ran the command. */
export function explainError(error: ConnectError, server: string): string[] {
  if (reasonOf(error) === "CREDENTIALS_MISSING") {
    return [`${server} requires credentials; set --token-file, or --client-cert and --client-key`];
  }
  if (reasonOf(error) !== undefined) {
    const parts = faultyParts(error).map(({ name, description }) => `${name}: ${description}`);
    const untold = countOf(error) - parts.length;
    return parts.length > 1
      ? [...parts, ...(untold > 0 ? [`and ${untold} more`] : [])]
      : [error.rawMessage];
  }
  const cause = systemErrorOf(error);
  if (cause !== undefined) {
    return [isLost(cause) ? explainLoss(server, cause) : explainCause(server, cause)];
  }
  switch (error.code) {
    case Code.Unavailable:
      return [`cannot reach ${server}: ${error.rawMessage}; ${otherServer}`];
    case Code.DeadlineExceeded:
      return [`${server} has not answered in time; try again, or name another one with --server`];
    default:
      return [
        `${server} does not answer as a wasmext server does: ${error.rawMessage}; check --server`,
      ];
  }
}

const otherServer = "start a server with wasmext serve, or name another one with --server";

/** An error of the network or of TLS. */
type SystemError = Error & { readonly code: string; readonly syscall?: string };

function systemErrorOf(error: ConnectError): SystemError | undefined {
  let cause: unknown = error.cause;
  while (cause instanceof AggregateError && cause.errors.length > 0) {
    cause = (cause.errors as unknown[])[0];
  }
  return isSystemError(cause) ? cause : undefined;
}

function isSystemError(cause: unknown): cause is SystemError {
  return (
    cause instanceof Error &&
    "code" in cause &&
    typeof cause.code === "string" &&
    /^E[A-Z]+$|CERT|TLS/.test(cause.code)
  );
}

/** Tells whether an established connection was lost; one that cannot be made fails in `connect`. */
function isLost({ code, syscall }: SystemError): boolean {
  return ["ECONNRESET", "EPIPE", "ETIMEDOUT"].includes(code) && syscall !== "connect";
}

function explainLoss(server: string, { message }: SystemError): string {
  return `${server}: the connection was lost: ${message}; check what has been done and run the command again, or check --server: TLS needs https://`;
}

function explainCause(server: string, { code, message }: SystemError): string {
  if (code === "EPROTO") {
    return `cannot reach ${server}: it does not speak TLS; write http:// instead of https://`;
  }
  if (code.includes("_ALERT_")) {
    return `${server} refuses the connection: ${message}; check --client-cert and --client-key, which authenticate the caller`;
  }
  const remedy = /CERT|TLS/.test(code)
    ? "name the file of its certificate authority with --ca"
    : otherServer;
  return `cannot reach ${server}: ${message}; ${remedy}`;
}
