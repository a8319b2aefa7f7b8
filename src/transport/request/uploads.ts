/*
 * What has arrived of requests and is not read yet. A client may take its time with the rest, and may
 * have many requests under way, so what they hold in memory is bounded.
 *
 * 1. On one connection. One message alone always passes.
 * 2. On all connections together; over that, a connection may still have a little under way, so that one
 *    client that sends much does not keep others from calling.
 */
import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "../../rpc/errors.ts";

/** How much of requests may be held before it is read. */
export interface UploadLimits {
  /** On one connection, in bytes. */
  readonly connectionBytes: number;
  /** On all connections together, in bytes. */
  readonly totalBytes: number;
  /** On one connection while all together hold too much, in bytes. */
  readonly sparedBytes: number;
}

/** The limits of a server, unless it is told others. */
export const defaultUploadLimits: UploadLimits = {
  connectionBytes: 64 * 1024 * 1024,
  totalBytes: 256 * 1024 * 1024,
  sparedBytes: 256 * 1024,
};

/** What has arrived of one request. */
export interface Upload {
  /**
   * Says how many bytes of the request are held now.
   *
   * Raises RESOURCE_EXHAUSTED if that is too much with all that is held already.
   */
  hold(bytes: number): void;
}

/** What has arrived of all requests. */
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
