/*
 * The options of the connection to a server: its address, the credentials of the command, and the authority
 * of the server's certificate. A token is never part of what a command prints.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { isLoopback } from "../transport/connection/loopback.ts";

/** The options of every command that talks to a server. */
export interface ConnectionOptions {
  /** The server's address as a url, without a path. */
  readonly server: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly ca?: string;
}

/** A command that talks to a server. */
export function clientCommand(name: string): Command {
  return new Command(name)
    .addOption(
      option("--server <url>", "address of the server")
        .default("http://localhost:8080")
        .argParser(parseServer),
    )
    .addOption(option("--token <token>", "bearer token to send to the server"))
    .addOption(option("--token-file <file>", "file of the token; read again when it changes"))
    .addOption(option("--client-cert <file>", "client certificate chain in PEM"))
    .addOption(option("--client-key <file>", "private key in PEM of --client-cert"))
    .addOption(
      option("--ca <file>", "CA certificates in PEM to verify the server with").default(
        undefined,
        "those of Node",
      ),
    )
    .hook("preAction", checkConnection);
}

function option(flags: string, description: string): Option {
  const [name = ""] = flags.slice(2).split(" ");
  return new Option(flags, description)
    .helpGroup("Connection:")
    .env(`WASMEXT_${name.replaceAll("-", "_").toUpperCase()}`);
}

/** Ends a command whose options of the connection contradict each other. */
function checkConnection(command: Command): void {
  preferGiven(command, "token", "tokenFile");
  const { server, token, tokenFile, clientCert, clientKey, ca } = command.opts<ConnectionOptions>();
  if (token !== undefined && tokenFile !== undefined) {
    command.error("error: --token and --token-file exclude each other; set one of them");
  }
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    command.error("error: --client-cert and --client-key go together; set both or neither");
  }
  const { protocol, hostname } = new URL(server);
  if (protocol === "https:") {
    return;
  }
  if (clientCert !== undefined || ca !== undefined) {
    const named = clientCert === undefined ? "--ca" : "--client-cert";
    command.error(`error: ${named} has no effect on ${server}; name a server with https://`);
  }
  if ((token ?? tokenFile) !== undefined && !isLoopback(hostname)) {
    command
      .configureOutput()
      .writeErr?.(
        `warning: the token goes to ${server} without encryption, unless a proxy on the way adds it; use https://\n`,
      );
  }
}

/** Ignores an option of the environment if the command line has the other of two options. */
function preferGiven(command: Command, ...names: readonly [string, string]): void {
  const sources = names.map((name) => command.getOptionValueSource(name));
  if (sources.includes("cli")) {
    for (const name of names.filter((_, index) => sources[index] === "env")) {
      command.setOptionValue(name, undefined);
    }
  }
}

function parseServer(text: string): string {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url?.href !== `${url?.origin}/` || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError("It has to be http://HOST:PORT or https://HOST:PORT.");
  }
  return url.origin;
}
