import type { Duplex } from "node:stream";
import type { NodeResponse } from "../node-http.ts";

/**
 * How many requests a client may have sent on one HTTP/1.1 connection without having got their answers.
 * No client in use sends more than a few ahead.
 */
export const maxPipelined = 100;

/** The requests of HTTP/1.1 connections that are not answered yet. */
export interface Pipelined {
  /** Adds a request until it is answered; returns false if its connection has too many. */
  add(socket: Duplex, response: NodeResponse): boolean;
  /** Those of a connection, in the order in which they came. */
  of(socket: Duplex): ReadonlySet<NodeResponse>;
}

const none: ReadonlySet<NodeResponse> = new Set();

/** Creates an empty record. */
export function createPipelined(): Pipelined {
  const bySocket = new Map<Duplex, Set<NodeResponse>>();
  return {
    add(socket, response) {
      const open = bySocket.get(socket) ?? new Set();
      if (open.size >= maxPipelined || socket.destroyed) {
        return false;
      }
      bySocket.set(socket, open.add(response));
      response.once("close", () => {
        open.delete(response);
        if (open.size === 0) {
          bySocket.delete(socket);
        }
      });
      return true;
    },
    of: (socket) => bySocket.get(socket) ?? none,
  };
}
