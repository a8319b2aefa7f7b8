import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { CatalogError } from "../catalog/errors.ts";
import { type Call, callKey } from "./call.ts";
import { connectErrorOf, internalError } from "./errors.ts";
import { inOurForm } from "./unreadable.ts";

/** Turns whatever a service raises into an RPC error with details. Goes outermost. */
export const errorInterceptor: Interceptor = (next) => async (request) => {
  const call = request.contextValues.get(callKey);
  if (call !== undefined) {
    call.reachedService = true;
  }
  try {
    // The caller has given up already; what it no longer waits for must not happen.
    if (request.signal.aborted) {
      throw ConnectError.from(request.signal.reason);
    }
    if (!request.stream) {
      return await next(request);
    }
    const response = await next({ ...request, message: readable(request.message) });
    return response.stream
      ? { ...response, message: withErrors(response.message, call) }
      : response;
  } catch (error) {
    throw outgoing(error, call);
  }
};

/** Messages of a request stream are read while the service runs; what they lack is not its fault. */
async function* readable<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw inOurForm(ConnectError.from(error), false);
  }
}

async function* withErrors<T>(messages: AsyncIterable<T>, call?: Call): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw outgoing(error, call);
  }
}

function outgoing(error: unknown, call: Call | undefined): ConnectError {
  if (error instanceof CatalogError) {
    return connectErrorOf(error);
  }
  if (error instanceof ConnectError) {
    return inOurForm(error, true);
  }
  if (call !== undefined) {
    call.failure = error;
  }
  return internalError(error);
}
