/*
 * The connections of a port, and which of them ends when there are too many.
 *
 * 1. Room is made by the one that is needed least: one that has never sent a request, else one without a
 *    request under way. Of these it is the one that has been so for longest, since clients that mean to send
 *    a request do so soon.
 * 2. Where all have a request under way, a new connection is accepted over the limit to be told so, as one
 *    of a few.
 * 3. Over these, a new connection ends at once.
 *
 * Addresses do not count: behind a proxy, all callers have the same one.
 */
import type { Socket } from "node:net";

/** How many connections over the limit are told so. */
export const maxOverLimit = 64;

/** A connection, while it is open. */
export interface Connection {
  /** Whether its requests have to be refused. */
  readonly isOverLimit: boolean;
  /** How it ends to make room. Default: its socket is destroyed. */
  end: () => void;
  /** Says that a request has begun. */
  begin(): void;
  /** Says that a request has ended. */
  finish(): void;
}

/** The connections of a port. */
export interface Connections {
  /** Adds a connection until its socket has closed; returns undefined if there is no room for it. */
  open(socket: Socket): Connection | undefined;
  /** The connection of a socket, or of a socket of TLS on top of it; undefined if it has ended. */
  of(socket: Socket): Connection | undefined;
}

/** Creates an empty record. */
export function createConnections(limit: number): Connections {
  const byName = new Map<string, Connection>();
  /** Those that have never sent a request, and those without one under way, the oldest first. */
  const [silent, idle] = [new Set<Connection>(), new Set<Connection>()];
  const open = new Set<Connection>();

  function makeRoom(): void {
    const [least] = silent.size > 0 ? silent : idle;
    if (least !== undefined) {
      remove(least);
      least.end();
    }
  }

  /** A connection that ends no longer counts, even if its socket closes late. */
  function remove(connection: Connection): void {
    open.delete(connection);
    silent.delete(connection);
    idle.delete(connection);
  }

  return {
    open(socket) {
      if (open.size >= limit) {
        makeRoom();
      }
      if (open.size >= limit + maxOverLimit) {
        return undefined;
      }
      let requests = 0;
      const connection: Connection = {
        isOverLimit: open.size >= limit,
        end: () => {
          socket.destroy();
        },
        begin() {
          requests++;
          silent.delete(connection);
          idle.delete(connection);
        },
        finish() {
          requests--;
          if (requests === 0 && open.has(connection)) {
            idle.add(connection);
          }
        },
      };
      const name = nameOf(socket);
      byName.set(name, connection);
      open.add(connection);
      silent.add(connection);
      socket.once("close", () => {
        remove(connection);
        byName.delete(name);
      });
      return connection;
    },
    of: (socket) => byName.get(nameOf(socket)),
  };
}

/** The two ends of a connection, which TLS sockets share with the sockets that they are on. */
function nameOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return [localAddress, localPort, remoteAddress, remotePort].join(" ");
}
