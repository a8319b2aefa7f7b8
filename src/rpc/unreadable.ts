/*
 * Connect reads requests before any of our code sees them, and states what it cannot read in errors
 * of its own: without details, and with INTERNAL for some of what a client sent wrong. This gives
 * them the form of every other error.
 */
import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import type { UnreadableField } from "./call.ts";
import { hasErrorInfo, internalError, rpcError, unreadableRequest } from "./errors.ts";

const reasons: Partial<Record<Code, string>> = {
  [Code.Canceled]: "CANCELED",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.InvalidArgument]: "UNREADABLE_REQUEST",
  [Code.ResourceExhausted]: "MESSAGE_TOO_LARGE",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.Unimplemented]: "UNSUPPORTED",
};

/**
 * The same error in our form, or the error itself if it has that form already.
 *
 * @param reachedService - whether the request had been read when the error was raised; a failure
 *   before that is the request's, one after it is the server's
 * @param field - the field that cannot be read, where it is known
 */
export function inOurForm(
  error: ConnectError,
  reachedService: boolean,
  field?: UnreadableField,
): ConnectError {
  if (hasErrorInfo(error)) {
    return error;
  }
  const isServers = error.code === Code.Internal || error.code === Code.Unknown;
  if (isServers && reachedService) {
    return internalError(error);
  }
  const code = isServers ? Code.InvalidArgument : error.code;
  const reason = reasons[code] ?? "REFUSED";
  const said = error.rawMessage.slice(0, maxQuoted).toWellFormed();
  const message = explained(code, said, field?.remedy);
  return code === Code.InvalidArgument
    ? unreadableRequest(reason, message, field?.path ?? "")
    : rpcError(code, reason, message);
}

/** How much of what Connect says is passed on, in characters: it may quote the whole request. */
const maxQuoted = 512;

function explained(
  code: Code,
  message: string,
  remedy = "compare it with the service's proto",
): string {
  switch (code) {
    case Code.InvalidArgument:
      return `the request cannot be read: ${message}; ${remedy}`;
    case Code.ResourceExhausted:
      return `the message is too large: ${message}; send less, or start the server with a greater --max-message-bytes`;
    default:
      return message;
  }
}
