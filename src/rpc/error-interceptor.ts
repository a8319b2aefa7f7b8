import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { CatalogError } from "../catalog/errors.ts";
import { type CallReport, callReportKey } from "./call-report.ts";
import { connectErrorOf, hasErrorInfo, internalError, rpcError } from "./errors.ts";

/** Turns whatever a service raises into an RPC error with details, and reports it. Goes outermost. */
export const errorInterceptor: Interceptor = (next) => async (request) => {
  const report = request.contextValues.get(callReportKey);
  try {
    // The caller has given up already; what it no longer waits for must not happen.
    if (request.signal.aborted) {
      throw ConnectError.from(request.signal.reason);
    }
    const response = await next(request);
    return response.stream
      ? { ...response, message: withErrors(response.message, report) }
      : response;
  } catch (error) {
    throw outgoing(error, report);
  }
};

async function* withErrors<T>(messages: AsyncIterable<T>, report: CallReport): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw outgoing(error, report);
  }
}

function outgoing(raised: unknown, report: CallReport): ConnectError {
  const error = toRpcError(raised);
  report(error.code, error.code === Code.Internal ? raised : undefined);
  return error;
}

/** The one place where what a service raises becomes an RPC error. */
function toRpcError(raised: unknown): ConnectError {
  if (raised instanceof CatalogError) {
    return connectErrorOf(raised);
  }
  if (!(raised instanceof ConnectError)) {
    return internalError(raised);
  }
  if (hasErrorInfo(raised)) {
    return raised;
  }
  // What Connect raises itself once a request has been read.
  switch (raised.code) {
    case Code.Canceled:
    case Code.DeadlineExceeded:
    case Code.Unavailable:
    // A method that the proto has, and the service does not.
    case Code.Unimplemented:
      return rpcError(raised.code, reasons[raised.code], raised.rawMessage);
    // A connection that breaks; nobody is left to read this.
    case Code.Aborted:
      return rpcError(Code.Canceled, reasons[Code.Canceled], raised.rawMessage);
    default:
      return internalError(raised);
  }
}

const reasons = {
  [Code.Canceled]: "CANCELED",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
} as const;
