import { Command, InvalidArgumentError, Option } from "commander";
import { wholeNumber } from "../whole-number.ts";
import { parseNetwork } from "../../modules/network/address.ts";
import { parseStoreOption } from "../../journal/store-option.ts";
import { problemOfOptions, type ServeOptions } from "../serve-options.ts";

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** Greatest difference of clocks that is accepted, in seconds. */
const maxClockSkew = 300;

/** Greatest limit that Connect can hold messages to, in bytes. */
const maxMaxMessageBytes = 0xffffffff;

/** Greatest number of connections, streams and watches: more than any machine holds. */
const maxCount = 1_000_000;

/** Greatest cache, in bytes, and greatest module, which a proxy has to hold in memory. */
const maxCacheBytes = 2 ** 50;
const maxMaxModuleBytes = 1024 * 1024 * 1024;

/** Greatest timeout, in seconds: a day. */
const maxTimeout = 86_400;

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
      option("--store-prefix <prefix>", "what the keys in etcd begin with", "STORE_PREFIX")
        .default("wasmext/")
        .argParser(storePrefix),
    )
    .addOption(option("--store-user <name>", "user of etcd", "STORE_USER"))
    .addOption(
      option(
        "--store-password-file <file>",
        "file with the password of --store-user",
        "STORE_PASSWORD_FILE",
      ),
    )
    .addOption(
      option("--store-ca <file>", "CA certificates in PEM to verify etcd with", "STORE_CA"),
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
        "name that requests may have as their host while the server is on loopback; repeat it, or separate several by commas",
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
    .addOption(
      option("--max-connections <number>", "most connections at once", "MAX_CONNECTIONS")
        .default(10_000)
        .argParser(wholeNumber(1, maxCount)),
    )
    .addOption(
      option(
        "--max-streams <number>",
        "most streams at once on an HTTP/2 connection",
        "MAX_STREAMS",
      )
        .default(1_000)
        .argParser(wholeNumber(1, maxCount)),
    )
    .addOption(
      option("--max-watches <number>", "most watches at once of one caller", "MAX_WATCHES")
        .default(1_000)
        .argParser(wholeNumber(1, maxCount)),
    )
    .addOption(
      option(
        "--header-timeout <seconds>",
        "how long the first bytes of a connection, and the head of a request, may take to arrive",
        "HEADER_TIMEOUT",
      )
        .default(10)
        .argParser(wholeNumber(1, maxTimeout)),
    )
    .addOption(
      option(
        "--request-timeout <seconds>",
        "how long the body of a request may take to arrive",
        "REQUEST_TIMEOUT",
      )
        .default(30)
        .argParser(wholeNumber(1, maxTimeout)),
    )
    .addOption(
      option(
        "--idle-timeout <seconds>",
        "how long a connection without a request is kept",
        "IDLE_TIMEOUT",
      )
        .default(300)
        .argParser(wholeNumber(1, maxTimeout)),
    )
    .addOption(option("--tls-cert <file>", "certificate chain in PEM; serves TLS", "TLS_CERT"))
    .addOption(option("--tls-key <file>", "private key in PEM of --tls-cert", "TLS_KEY"))
    .addOption(
      option(
        "--tls-client-ca <file>",
        "CA certificates in PEM; authenticates callers whose client certificates they have signed",
        "TLS_CLIENT_CA",
      ).argParser(nonEmptyFile),
    )
    .addOption(
      option(
        "--auth <kind>",
        "how callers are authenticated: none, or jwt for bearer tokens",
        "AUTH",
      )
        .default("none")
        .choices(["none", "jwt"]),
    )
    .addOption(
      option(
        "--jwks <file-or-url>",
        "JSON Web Key Set of the issuer of tokens; read again when it changes",
        "JWKS",
      ).argParser(keySetPlace),
    )
    .addOption(option("--issuer <text>", "issuer of tokens (claim iss)", "ISSUER"))
    .addOption(
      option(
        "--audience <text>",
        "accepted audience of tokens (claim aud); repeat it, or separate several by commas",
        "AUDIENCE",
      ).argParser(audiences),
    )
    .addOption(
      option(
        "--clock-skew <seconds>",
        "by how much the clocks of issuer and server may differ",
        "CLOCK_SKEW",
      )
        .default(30)
        .argParser(wholeNumber(0, maxClockSkew)),
    )
    .addOption(
      option(
        "--grants <file>",
        "grants by claims of tokens and subjects of client certificates, in YAML or JSON; read again when it changes",
        "GRANTS",
      ).argParser(nonEmptyFile),
    )
    .addOption(
      option(
        "--allow-anonymous [boolean]",
        "serve everyone who reaches the port on a host that is not loopback",
        "ALLOW_ANONYMOUS",
      )
        .preset("true")
        .argParser(trueOrFalse),
    )
    .addOption(
      option("--log-level <level>", "least severe level to log", "LOG_LEVEL")
        .default("info")
        .choices(logLevels),
    )
    .addOption(
      option(
        "--audit-log <file>",
        "file to append a line to for each write, - for standard output",
        "AUDIT_LOG",
      ),
    )
    .addOption(
      option(
        "--audit-sync [boolean]",
        "answer a write only when its line is on the disk",
        "AUDIT_SYNC",
      )
        .preset("true")
        .argParser(trueOrFalse),
    )
    .addOption(
      option(
        "--module-cache <folder>",
        "folder that modules are cached in; several servers may share it",
        "MODULE_CACHE",
      )
        .default(undefined, "wasmext/modules in $XDG_CACHE_HOME, or in ~/.cache")
        .argParser(nonEmptyFolder),
    )
    .addOption(
      option("--module-cache-bytes <bytes>", "greatest size of that folder", "MODULE_CACHE_BYTES")
        .default(1024 * 1024 * 1024, "1 GiB")
        .argParser(wholeNumber(1, maxCacheBytes)),
    )
    .addOption(
      option("--max-module-bytes <bytes>", "greatest module", "MAX_MODULE_BYTES")
        .default(64 * 1024 * 1024, "64 MiB")
        .argParser(wholeNumber(1, maxMaxModuleBytes)),
    )
    .addOption(
      option(
        "--module-check-interval <seconds>",
        "how often a module with the pull policy Always is checked for a newer one",
        "MODULE_CHECK_INTERVAL",
      )
        .default(60)
        .argParser(wholeNumber(1, maxTimeout)),
    )
    .addOption(
      option(
        "--allow-module-network <network>",
        "network that modules are fetched from though it is not public, such as 10.0.0.0/8; repeat it, or separate several by commas",
        "ALLOW_MODULE_NETWORK",
      )
        .default([], "public addresses only")
        .argParser(networks),
    )
    .addOption(
      option(
        "--pull-secrets <folder>",
        "folder of pull secrets, as ORGANIZATION/SECRET/config.json",
        "PULL_SECRETS",
      ).argParser(nonEmptyFolder),
    )
    .addOption(
      option(
        "--max-inline-module-bytes <bytes>",
        "greatest module that proxies get with their configuration; they fetch larger ones over HTTP",
        "MAX_INLINE_MODULE_BYTES",
      )
        .default(4 * 1024 * 1024, "4 MiB")
        .argParser(wholeNumber(0, maxMaxModuleBytes)),
    )
    .addOption(
      option(
        "--on-module-failure <phase=effect>",
        "what becomes of requests where an extension of a phase cannot run: deny (503) or skip, such as stats=deny; repeat it, or separate several by commas",
        "ON_MODULE_FAILURE",
      )
        .default([], "deny in authn and authz, skip in stats and unspecified")
        .argParser(failures),
    )
    .addHelpText("after", examples)
    .action(async (options: ServeOptions, command: Command) => {
      const problem = problemOfOptions(options);
      if (problem !== undefined) {
        command.error(`error: ${problem}`);
      }
      await run(options);
    });
}

const examples = `
Each option can be set in the environment too, as the variable shown with it.

Examples:
  wasmext serve
  wasmext serve --store sqlite:catalog.db
  wasmext serve --port 9000 --allow-origin https://console.example.com
  WASMEXT_LOG_LEVEL=debug wasmext serve --tls-cert server.crt --tls-key server.key
  wasmext serve --auth jwt --jwks https://id.example.com/keys --issuer https://id.example.com \\
    --audience wasmext --grants grants.yaml`;

function option(flags: string, description: string, variable: string): Option {
  return new Option(flags, description).env(`WASMEXT_${variable}`);
}

function nonEmpty(text: string): string {
  if (text === "") {
    throw new InvalidArgumentError("It has to be a name or an address; 0.0.0.0 is all of IPv4.");
  }
  return text;
}

/** Keys have segments of one letter, so catalogs with nested prefixes do not overlap. */
function storePrefix(text: string): string {
  if (!/^(?:[a-z0-9_.-]{2,}\/)+$/i.test(text)) {
    throw new InvalidArgumentError(
      "A prefix is names of two or more letters, digits, dots, hyphens and underscores, each with a slash after it, such as mesh/staging/.",
    );
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

function failures(text: string, before: readonly string[]): string[] {
  const added = text.split(",").map((entry) => entry.trim());
  for (const entry of added) {
    if (!/^(?:authn|authz|stats|unspecified)=(?:deny|skip)$/.test(entry)) {
      throw new InvalidArgumentError(
        "It is PHASE=deny or PHASE=skip, where PHASE is authn, authz, stats or unspecified.",
      );
    }
  }
  return [...before, ...added];
}

function networks(text: string, before: readonly string[]): string[] {
  const added = text.split(",").map((entry) => entry.trim());
  for (const entry of added) {
    if (parseNetwork(entry) === undefined) {
      throw new InvalidArgumentError(
        "A network is ADDRESS/PREFIX without bits beyond the prefix, such as 10.0.0.0/8 or fd00::/8, or one address.",
      );
    }
  }
  return [...before, ...added];
}

function nonEmptyFolder(text: string): string {
  if (text === "") {
    throw new InvalidArgumentError("It has to be a folder.");
  }
  return text;
}

function nonEmptyFile(text: string): string {
  if (text === "") {
    throw new InvalidArgumentError("It has to be a file.");
  }
  return text;
}

function keySetPlace(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "") {
      throw new InvalidArgumentError(
        "A url of keys is https://HOST/PATH, or http, without a user.",
      );
    }
  }
  return nonEmptyFile(text);
}

function audiences(text: string, before: readonly string[] = []): string[] {
  const added = text.split(",").map((entry) => entry.trim());
  if (added.includes("")) {
    throw new InvalidArgumentError("An audience has at least one character.");
  }
  return [...before, ...added];
}

function trueOrFalse(text: string): boolean {
  if (text !== "true" && text !== "false") {
    throw new InvalidArgumentError("It has to be true or false.");
  }
  return text === "true";
}
