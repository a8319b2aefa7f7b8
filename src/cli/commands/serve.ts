import { Command, InvalidArgumentError, Option } from "commander";
import { wholeNumber } from "../whole-number.ts";
import { parseStoreOption } from "../../journal/store-option.ts";
import { isLoopback } from "../../transport/connection/loopback.ts";

/** The options of `wasmext serve`, as commander hands them over. */
export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly store: string;
  readonly storePrefix: string;
  readonly storeUser?: string;
  readonly storePasswordFile?: string;
  readonly storeCa?: string;
  readonly storeCert?: string;
  readonly storeKey?: string;
  readonly allowOrigin: readonly string[];
  readonly allowHost: readonly string[];
  readonly maxMessageBytes: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly logLevel: string;
}

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** Greatest limit that Connect can hold messages to, in bytes. */
const maxMaxMessageBytes = 0xffffffff;

/** Builds the command `serve`. */
export function serveCommand(run: (options: ServeOptions) => Promise<void>): Command {
  return new Command("serve")
    .description("Serve the catalog over gRPC, gRPC-Web and Connect, on one port.")
    .addOption(
      option("--host <address>", "address to listen on", "HOST")
        .default("127.0.0.1")
        .argParser(nonEmpty),
    )
    .addOption(
      option("--port <number>", "port to listen on; 0 picks a free one", "PORT")
        .default(8080)
        .argParser(wholeNumber(0, 65535)),
    )
    .addOption(
      option(
        "--store <store>",
        "where commits are stored: memory (lost when the process ends), sqlite:PATH (a file), or etcd:URL[,URL...] (shared by several servers)",
        "STORE",
      )
        .default("memory")
        .argParser(store),
    )
    .addOption(
      option("--store-prefix <prefix>", "what the keys in etcd begin with", "STORE_PREFIX").default(
        "wasmext/",
      ),
    )
    .addOption(option("--store-user <name>", "user of etcd", "STORE_USER"))
    .addOption(
      option(
        "--store-password-file <file>",
        "file with the user's password",
        "STORE_PASSWORD_FILE",
      ),
    )
    .addOption(
      option("--store-ca <file>", "authorities in PEM that etcd's certificate is of", "STORE_CA"),
    )
    .addOption(option("--store-cert <file>", "client certificate in PEM for etcd", "STORE_CERT"))
    .addOption(option("--store-key <file>", "private key in PEM of --store-cert", "STORE_KEY"))
    .addOption(
      option(
        "--allow-origin <origin>",
        "origin whose web pages may call, * for all; repeat it, or separate several by commas",
        "ALLOW_ORIGIN",
      )
        .default([], "pages on loopback while the server is on loopback")
        .argParser(origins),
    )
    .addOption(
      option(
        "--allow-host <name>",
        "name that requests may be for while the server is on loopback; repeat it, or separate several by commas",
        "ALLOW_HOST",
      )
        .default([], "names and addresses of loopback")
        .argParser(hosts),
    )
    .addOption(
      option("--max-message-bytes <bytes>", "greatest message", "MAX_MESSAGE_BYTES")
        .default(4 * 1024 * 1024, "4 MiB")
        .argParser(wholeNumber(1, maxMaxMessageBytes)),
    )
    .addOption(option("--tls-cert <file>", "certificate chain in PEM; serves TLS", "TLS_CERT"))
    .addOption(option("--tls-key <file>", "private key in PEM of --tls-cert", "TLS_KEY"))
    .addOption(
      option("--log-level <level>", "least severe log line to write", "LOG_LEVEL")
        .default("info")
        .choices(logLevels),
    )
    .addHelpText("after", examples)
    .action(async (options: ServeOptions, command: Command) => {
      if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) {
        command.error("error: --tls-cert and --tls-key go together; set both or neither");
      }
      if ((options.storeCert === undefined) !== (options.storeKey === undefined)) {
        command.error("error: --store-cert and --store-key go together; set both or neither");
      }
      if ((options.storeUser === undefined) !== (options.storePasswordFile === undefined)) {
        command.error(
          "error: --store-user and --store-password-file go together; set both or neither",
        );
      }
      await run(options);
    });
}

/** A warning about who can reach the server; undefined on loopback. */
export function reachWarning(host: string): string | undefined {
  return isLoopback(host)
    ? undefined
    : `${host} is not loopback, and there is no authentication: anyone who reaches the port can read and write everything`;
}

/** A warning about what is lost when the process ends; undefined if nothing is. */
export function lossWarning(store: string): string | undefined {
  return parseStoreOption(store).kind === "memory"
    ? "the catalog is in memory and is lost when the server stops; keep it in a file with --store sqlite:catalog.db"
    : undefined;
}

const examples = `
Each option can be set in the environment too, as the variable shown with it.

Examples:
  wasmext serve
  wasmext serve --store sqlite:catalog.db
  wasmext serve --port 9000 --allow-origin https://console.example.com
  WASMEXT_LOG_LEVEL=debug wasmext serve --tls-cert server.crt --tls-key server.key`;

function option(flags: string, description: string, variable: string): Option {
  return new Option(flags, description).env(`WASMEXT_${variable}`);
}

function nonEmpty(text: string): string {
  if (text === "") {
    throw new InvalidArgumentError("It has to be a name or an address; 0.0.0.0 is all of IPv4.");
  }
  return text;
}

function store(text: string): string {
  try {
    parseStoreOption(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return text;
}

function hosts(text: string, before: readonly string[]): string[] {
  const added = text.split(",").map((entry) => entry.trim());
  for (const entry of added) {
    if (!/^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\])$/i.test(entry)) {
      throw new InvalidArgumentError(
        "A host is a name or an address without a port, such as catalog.test or [::1].",
      );
    }
  }
  return [...before, ...added];
}

function origins(text: string, before: readonly string[]): string[] {
  const added = text.split(",").map((entry) => entry.trim());
  for (const entry of added) {
    if (entry !== "*" && !/^[a-z][a-z0-9+.-]*:\/\/[^/]+\/?$/i.test(entry)) {
      throw new InvalidArgumentError(
        "An origin is scheme://host[:port], such as https://console.example.com, or *.",
      );
    }
  }
  return [...before, ...added];
}
