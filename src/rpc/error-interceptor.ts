import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { mapped } from "../methods/mapped.ts";
import { type CallReport, callReportKey } from "./call-report.ts";
import { toRpcError } from "./to-rpc-error.ts";
import { unaryErrorKey } from "./unary-error.ts";

/** Turns whatever a service raises into an RPC error with details, and reports it. Goes outermost. */
export const errorInterceptor: Interceptor = (next) => async (request) => {
  const report = request.contextValues.get(callReportKey);
  try {
    // The caller has given up, so the call must have no effect.
    if (request.signal.aborted) {
      throw ConnectError.from(request.signal.reason);
    }
    const response = await next(request);
    return response.stream
      ? {
          ...response,
          message: mapped(response.message, {
            error: (raised) => outgoing(raised, report),
          }),
        }
      : response;
  } catch (raised) {
    const error = outgoing(raised, report);
    if (!request.stream) {
      request.contextValues.get(unaryErrorKey)(error);
    }
    throw error;
  }
};

function outgoing(raised: unknown, report: CallReport): ConnectError {
  const error = toRpcError(raised);
  report(error.code, error.code === Code.Internal ? raised : undefined);
  return error;
}
