/* Errors of requests that cannot be read, each with its remedy. */
import { Code, type ConnectError } from "@connectrpc/connect";
import { excerpt } from "../../catalog/names/excerpt.ts";
import { rpcError, unreadableRequest, withHeaders } from "../../rpc/errors.ts";

/** The request, or a field of it, is malformed. */
export function unreadable(problem: string, remedy: string, field = ""): ConnectError {
  const text = `the request cannot be read: ${problem}; ${remedy}`;
  return unreadableRequest("UNREADABLE_REQUEST", text, field);
}

/** A message is larger than the server reads. */
export function messageTooLarge(what: string, maxBytes: number): ConnectError {
  const problem = `the message is too large: ${what} exceeds the limit of ${maxBytes} bytes`;
  const remedy = "send less, or start the server with a greater --max-message-bytes";
  return rpcError(Code.ResourceExhausted, "MESSAGE_TOO_LARGE", `${problem}; ${remedy}`);
}

/** The request of a stream is larger than any method of a stream needs. */
export function streamRequestTooLarge(bytes: number, maxBytes: number): ConnectError {
  const problem = `the message is too large: its size of ${bytes} bytes exceeds the limit of ${maxBytes} bytes in a stream`;
  return rpcError(Code.ResourceExhausted, "MESSAGE_TOO_LARGE", `${problem}; send less`);
}

/** The request holds too many of something. */
export function tooMany(what: string, limit: number): ConnectError {
  const problem = `the request holds more than ${limit} ${what}`;
  return rpcError(Code.InvalidArgument, "TOO_MANY_VALUES", `${problem}; send fewer`);
}

/** A compression that the server does not know. */
export function unknownCompression(
  name: string,
  known: readonly string[],
  acceptHeader: string,
): ConnectError {
  const names = known.join(",");
  const text = `the compression ${excerpt(name)} is not supported; send ${names}, or none`;
  const error = rpcError(Code.Unimplemented, "UNSUPPORTED_COMPRESSION", text);
  return withHeaders(error, { [acceptHeader]: names });
}

/** The compressed data of a body is damaged. */
export function damagedCompression(name: string): ConnectError {
  return unreadable(`its ${name} data is damaged`, "compress the whole message again");
}

/** The request has not arrived in time. */
export function requestTimeout(timeoutMs: number): ConnectError {
  const problem = `the request was not complete after ${timeoutMs / 1000} s`;
  return rpcError(Code.DeadlineExceeded, "REQUEST_TIMEOUT", `${problem}; send it in one go`);
}

/** The client's own deadline has passed before the request has arrived. */
export function deadlineExceeded(): ConnectError {
  const problem = "the deadline has passed before the request was complete";
  return rpcError(Code.DeadlineExceeded, "DEADLINE_EXCEEDED", `${problem}; allow more time`);
}

/** A timeout header that cannot be read. */
export function invalidTimeout(header: string, value: string, form: string): ConnectError {
  const text = `the header ${header} is ${excerpt(value)}, which is not a timeout; send ${form}`;
  return rpcError(Code.InvalidArgument, "INVALID_TIMEOUT", text);
}
