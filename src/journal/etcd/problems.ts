/* What etcd's errors mean for those who call it. Its API has codes, and texts that tell more. */
import { Code, ConnectError } from "@connectrpc/connect";

/** The credentials are not valid any more: etcd has to give new ones. */
export function isStaleToken(error: ConnectError): boolean {
  return (
    error.code === Code.Unauthenticated ||
    /invalid auth token|revision of auth store is old/.test(error.rawMessage)
  );
}

/** What the read wants has been compacted. */
export function isCompacted(error: unknown): boolean {
  return error instanceof ConnectError && error.rawMessage.includes("has been compacted");
}

/** The answer is too large, for etcd or for this side. */
export function isTooLarge({ code, rawMessage }: ConnectError): boolean {
  return (
    code === Code.ResourceExhausted && /larger than (configured readMaxBytes|max)/.test(rawMessage)
  );
}

/** Etcd itself has refused a request, and has done nothing. The same request may succeed later, or elsewhere. */
export function isRefusal({ code, rawMessage }: ConnectError): boolean {
  switch (code) {
    case Code.InvalidArgument:
    case Code.PermissionDenied:
    case Code.Unauthenticated:
    case Code.FailedPrecondition:
    case Code.OutOfRange:
    case Code.NotFound:
    case Code.Unimplemented:
      return true;
    // A message that is too large for this side has this code as well.
    case Code.ResourceExhausted:
      return rawMessage.startsWith("etcdserver:");
    default:
      return false;
  }
}

/** A refusal that does not go away when the request is repeated. */
export function isLasting(error: ConnectError): boolean {
  return (
    isRefusal(error) && !isStaleToken(error) && !error.rawMessage.includes("too many requests")
  );
}
