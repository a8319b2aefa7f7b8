import { createConnectTransport } from "@connectrpc/connect-node";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { Command, InvalidArgumentError, Option } from "commander";
import { binaryOptions } from "../wire/options.ts";
import { checkAnswers } from "./answers.ts";
import { type Clients, createClients } from "./clients.ts";
import { explainError, Failure } from "./failure.ts";

/** The options of every command that talks to a server. */
export interface SessionOptions {
  /** The server's address as a url, without a path. */
  readonly server: string;
  readonly token?: string;
}

/** The deadline of a unary call, in ms. */
const timeoutMs = 60_000;

/** A command that talks to a server. */
export function clientCommand(name: string): Command {
  return new Command(name)
    .addOption(
      new Option("--server <url>", "address of the server")
        .helpGroup("Connection:")
        .env("WASMEXT_SERVER")
        .default("http://localhost:8080")
        .argParser(parseServer),
    )
    .addOption(
      new Option("--token <token>", "bearer token to show to the server")
        .helpGroup("Connection:")
        .env("WASMEXT_TOKEN"),
    );
}

/**
 * Runs the part of a command that talks to a server.
 *
 * Raises a Failure that says what to do if a call fails.
 */
export async function withSession(
  { server, token }: SessionOptions,
  run: (clients: Clients, server: string) => Promise<void>,
): Promise<void> {
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    // The error of an option's parser would print the token.
    throw new Failure("the token of --token or WASMEXT_TOKEN has invalid characters");
  }
  // HTTP/1.1 passes every proxy, and a foreign server answers it with a readable error.
  const transport = createConnectTransport({
    baseUrl: server,
    httpVersion: "1.1",
    useBinaryFormat: true,
    binaryOptions,
    interceptors: [checkAnswers, ...(token === undefined ? [] : [showToken(token)])],
    defaultTimeoutMs: timeoutMs,
  });
  try {
    await run(createClients(transport), server);
  } catch (error) {
    throw error instanceof ConnectError ? new Failure(explainError(error, server)) : error;
  }
}

function showToken(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}

function parseServer(text: string): string {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url?.href !== `${url?.origin}/` || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError("It has to be http://HOST:PORT or https://HOST:PORT.");
  }
  return url.origin;
}
