/*
 * Why a command fails, in lines for people. Two things end one: a Failure, which it raises itself, and
 * a ConnectError, which is what a server says, or that there is none.
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
  /** What went wrong, one problem a line, with the remedy. Empty if all of it has been said. */
  readonly lines: readonly string[];

  constructor(...lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** A field or an object at fault, of several. */
export interface FaultyPart {
  /** The path of a field, or the fqn of an object. */
  readonly name: string;
  readonly description: string;
}

/** What a server refuses a request for, part by part; empty where it does not say. */
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

/** Says what an error means to the person who ran the command. */
export function explainError(error: ConnectError, server: string): string[] {
  if (reasonOf(error) !== undefined) {
    const parts = faultyParts(error).map(({ name, description }) => `${name}: ${description}`);
    return parts.length > 1 ? parts : [error.rawMessage];
  }
  switch (error.code) {
    case Code.Unavailable:
      return [
        `cannot reach ${server}: ${causeOf(error)}; start a server with wasmext serve, or name another one with --server`,
      ];
    case Code.DeadlineExceeded:
      return [`${server} has not answered in time; try again, or name another one with --server`];
    default:
      return [
        `${server} does not answer as a wasmext server does: ${error.rawMessage}; check --server`,
      ];
  }
}

/** The system's own words where there are some: they name host and port. */
function causeOf(error: ConnectError): string {
  let cause: unknown = error.cause;
  while (cause instanceof AggregateError && cause.errors.length > 0) {
    cause = (cause.errors as unknown[])[0];
  }
  return cause instanceof Error && cause.message !== "" ? cause.message : error.rawMessage;
}
