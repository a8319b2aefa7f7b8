import { createConnectTransport } from "@connectrpc/connect-node";
import { ConnectError } from "@connectrpc/connect";
import { binaryOptions } from "../wire/options.ts";
import { checkAnswers } from "./answers.ts";
import { type Clients, createClients } from "./clients.ts";
import type { ConnectionOptions } from "./connection.ts";
import { createCredentials } from "./credentials.ts";
import { explainError, Failure } from "./failure.ts";

/** The connection of a command to a server. */
export interface Session {
  /** The server's address. */
  readonly server: string;
  /** Tells whether there is a token that has not been shown yet. */
  readonly hasNewToken: () => boolean;
}

/** The deadline of a unary call, in ms. */
const timeoutMs = 60_000;

/**
 * Runs the part of a command that talks to a server.
 *
 * Raises a Failure that says what to do if a call fails.
 */
export async function withSession(
  options: ConnectionOptions,
  run: (clients: Clients, session: Session) => Promise<void>,
): Promise<void> {
  const { server } = options;
  const { showToken, hasNewToken, tls } = createCredentials(options);
  // HTTP/1.1 passes every proxy, and a foreign server answers it with a readable error.
  const transport = createConnectTransport({
    baseUrl: server,
    httpVersion: "1.1",
    useBinaryFormat: true,
    binaryOptions,
    interceptors: [checkAnswers, showToken],
    defaultTimeoutMs: timeoutMs,
    nodeOptions: tls,
  });
  try {
    await run(createClients(transport), { server, hasNewToken });
  } catch (error) {
    throw error instanceof ConnectError ? new Failure(explainError(error, server)) : error;
  }
}
