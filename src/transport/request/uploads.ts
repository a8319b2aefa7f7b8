/*
 * The bytes of requests that have arrived and are not read yet. A client may send the rest slowly, and may
 * have many requests under way, so these bytes are bounded.
 *
 * 1. On each connection. One message alone always passes.
 * 2. On all connections together. Over that bound, each connection may still have a few bytes under way, so
 *    that one client that sends much does not keep others from calling.
 */
import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "../../rpc/errors.ts";

/** The limits on the bytes of requests that are held before they are read. */
export interface UploadLimits {
  /** On one connection, in bytes. */
  readonly connectionBytes: number;
  /** On all connections together, in bytes. */
  readonly totalBytes: number;
  /** On one connection while all together hold too much, in bytes. */
  readonly sparedBytes: number;
}

/** The default limits. */
export const defaultUploadLimits: UploadLimits = {
  connectionBytes: 64 * 1024 * 1024,
  totalBytes: 256 * 1024 * 1024,
  sparedBytes: 256 * 1024,
};

/** The bytes of one request that have arrived. */
export interface Upload {
  /**
   * Sets how many bytes of the request are held now.
   *
   * Raises RESOURCE_EXHAUSTED if that exceeds a limit.
   */
  hold(bytes: number): void;
}

/** The bytes of all requests that have arrived. */
export interface Uploads {
  /** How many bytes are held. */
  readonly bytes: number;
  /** Begins to count a request of a connection. Its last `hold` has to be of 0 bytes. */
  begin(connection: object): Upload;
}

/** Creates a record that holds nothing. */
export function createUploads(limits: UploadLimits): Uploads {
  const byConnection = new Map<object, number>();
  let total = 0;

  function add(connection: object, more: number): void {
    const own = (byConnection.get(connection) ?? 0) + more;
    if (own === 0) {
      byConnection.delete(connection);
    } else {
      byConnection.set(connection, own);
    }
    total += more;
  }

  return {
    get bytes() {
      return total;
    },
    begin(connection) {
      let held = 0;
      return {
        hold(bytes) {
          const more = bytes - held;
          const others = (byConnection.get(connection) ?? 0) - held;
          const isTooMuch =
            (others > 0 && others + bytes > limits.connectionBytes) ||
            (total + more > limits.totalBytes && others + bytes > limits.sparedBytes);
          if (more > 0 && isTooMuch) {
            throw tooManyUploads();
          }
          add(connection, more);
          held = bytes;
        },
      };
    },
  };
}

function tooManyUploads(): ConnectError {
  const problem = "too many large requests arrive at once";
  const remedy = "send one after the other, or call again later";
  return rpcError(Code.ResourceExhausted, "TOO_MANY_UPLOADS", `${problem}; ${remedy}`);
}
