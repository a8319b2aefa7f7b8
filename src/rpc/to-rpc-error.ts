import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { CatalogError } from "../catalog/errors.ts";
import { Interrupted } from "../methods/interrupted.ts";
import { connectErrorOf, hasErrorInfo, internalError, rpcError } from "./errors.ts";

/** The RPC error for whatever a service raises, and for the reason that a call was aborted with. */
export function toRpcError(raised: unknown): ConnectError {
  if (raised instanceof CatalogError) {
    return connectErrorOf(raised);
  }
  if (raised instanceof Interrupted) {
    const { reason, metadata } = raised;
    const cause = reason instanceof CatalogError ? reason : ConnectError.from(reason);
    return withMetadata(toRpcError(cause), metadata);
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
    // A connection that breaks; no client is left to read this.
    case Code.Aborted:
      return rpcError(Code.Canceled, reasons[Code.Canceled], raised.rawMessage);
    default:
      return internalError(raised);
  }
}

function withMetadata(
  error: ConnectError,
  metadata: Readonly<Record<string, string>>,
): ConnectError {
  const [info] = error.findDetails(ErrorInfoSchema);
  const all = { ...metadata, ...info?.metadata };
  return rpcError(error.code, info?.reason ?? "", error.rawMessage, all);
}

const reasons = {
  [Code.Canceled]: "CANCELED",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
} as const;
