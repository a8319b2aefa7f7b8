import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { lastSegment } from "../../catalog/names/fqn.ts";
import { targetOf } from "../../catalog/names/target.ts";
import { writeBootstrap, writeFilters } from "../../envoy-config/bootstrap.ts";
import type { Address, ClientCertificate, Tls, TokenSource } from "../../envoy-config/proxy.ts";
import { sdsFile } from "../../envoy-config/tls.ts";
import { addressArgument, addressOfUrl, listenArgument } from "../address.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { Failure } from "../failure.ts";
import { targetArgument } from "../fqn-argument.ts";
import { type Listener, listenerArgument } from "../listener-argument.ts";
import { safeJson } from "../output.ts";
import type { Shell } from "../shell.ts";
import { printable } from "../text.ts";

interface BootstrapOptions extends ConnectionOptions {
  readonly filters?: true;
  readonly listener?: Listener;
  readonly atomic?: true;
  readonly ads: boolean;
  readonly sds?: string;
  readonly nodeId?: string;
  readonly listen: Address;
  readonly admin: Address;
  readonly upstream?: Address;
}

/** The certificates of Debian, Alpine and Envoy's own images. */
const defaultCa = "/etc/ssl/certs/ca-certificates.crt";

/** Builds the command `envoy` with what it prints. */
export function envoyCommand(shell: Shell): Command {
  return new Command("envoy")
    .description("Configure Envoy to run what is attached to a target.")
    .addCommand(bootstrapCommand(shell));
}

function bootstrapCommand(shell: Shell): Command {
  const command = clientCommand("bootstrap")
    .description("Print a bootstrap for an Envoy that runs the chain of a target.")
    .addArgument(new Argument("<target>", "gateway or security group").argParser(targetArgument))
    .option(
      "--listener <kind>",
      "traffic of the listener: gateway, inbound or outbound, with :PORT for plugins that match ports; a gateway needs none",
      listenerArgument,
    )
    .option("--atomic", "put all phases into one slot, so that they change at once")
    .option("--no-ads", "open a stream for each slot, for a proxy that has an ads_config already")
    .option("--sds <file>", "write this file, by which Envoy follows changes of --client-cert")
    .addOption(
      new Option("--filters", "print only what goes into the bootstrap of a proxy").conflicts([
        "nodeId",
        "listen",
        "admin",
        "upstream",
      ]),
    )
    .option("--node-id <name>", "name of the proxy, instead of the target's", nodeIdArgument)
    .addOption(addressOption("--listen", "where Envoy listens", "127.0.0.1:10000"))
    .addOption(addressOption("--admin", "where its admin interface listens", "127.0.0.1:9901"))
    .option(
      "--upstream <host:port>",
      "where Envoy sends requests on to, instead of answering them",
      addressArgument,
    )
    .addHelpText("after", examples);
  return command.action(async (target: string, options: BootstrapOptions) => {
    const tls = tlsOf(command, options);
    const proxy = {
      target,
      listener: listenerOf(command, target, options.listener).text,
      isAtomic: options.atomic === true,
      hasOwnStreams: !options.ads,
      server: { address: addressOfUrl(options.server), token: tokenOf(command, options), tls },
    };
    if (proxy.server.token.kind === "text") {
      shell.say("warning: the output has the token of --token in it; --token-file keeps it out");
    }
    await writeSds(shell, tls?.client);
    const { listen, admin, upstream, nodeId = lastSegment(target) } = options;
    await shell.print(
      options.filters === true
        ? writeFilters(proxy)
        : writeBootstrap(proxy, { nodeId, listen, admin, upstream }),
    );
  });
}

const examples = `
The files are for Envoy: this command reads none of them. Relative paths begin in the present folder.
Without --ca, Envoy uses ${defaultCa}. The output refers to WASMEXT_TOKEN by its name,
and Envoy reads the variable when it starts.

Examples:
  wasmext envoy bootstrap organizations/org/tenants/t/workspaces/w/gatewaygroups/g/ingressgateways/web > envoy.yaml
  wasmext envoy bootstrap organizations/org/tenants/t/workspaces/w/securitygroups/sg --listener inbound:8080 --filters`;

function nodeIdArgument(text: string): string {
  if (text.length === 0 || text.length > 256) {
    throw new InvalidArgumentError("It has to have 1 to 256 characters.");
  }
  return text;
}

function addressOption(name: string, description: string, value: string): Option {
  return new Option(`${name} <ip:port>`, description)
    .argParser(listenArgument)
    .default(listenArgument(value), value);
}

/** The listener that was given, or the only one that a gateway has. */
function listenerOf(command: Command, target: string, given: Listener | undefined): Listener {
  const { isGateway } = targetOf(target);
  if (given === undefined) {
    return isGateway
      ? listenerArgument("gateway")
      : command.error(
          "error: a security group has traffic of two kinds; set --listener inbound or --listener outbound",
        );
  }
  if (isGateway !== (given.kind === "gateway")) {
    const own = isGateway
      ? "a gateway has --listener gateway"
      : "a security group has --listener inbound and --listener outbound";
    return command.error(`error: ${own}, not ${given.text}`);
  }
  return given;
}

function tokenOf(command: Command, { token, tokenFile }: ConnectionOptions): TokenSource {
  if (tokenFile !== undefined) {
    return { kind: "file", path: resolve(tokenFile) };
  }
  if (token === undefined) {
    return { kind: "none" };
  }
  return command.getOptionValueSource("token") === "env"
    ? { kind: "variable", name: "WASMEXT_TOKEN" }
    : { kind: "text", token };
}

function tlsOf(command: Command, options: BootstrapOptions): Tls | undefined {
  const { server, ca = defaultCa, clientCert, clientKey, sds } = options;
  if (sds !== undefined && clientCert === undefined) {
    command.error("error: --sds is for --client-cert and --client-key; set them as well");
  }
  if (!server.startsWith("https:")) {
    return undefined;
  }
  const client =
    clientCert === undefined || clientKey === undefined
      ? undefined
      : {
          certPath: resolve(clientCert),
          keyPath: resolve(clientKey),
          sdsPath: sds === undefined ? undefined : resolve(sds),
        };
  return { caPath: resolve(ca), client };
}

async function writeSds(shell: Shell, client: ClientCertificate | undefined): Promise<void> {
  if (client?.sdsPath === undefined) {
    return;
  }
  try {
    await writeFile(client.sdsPath, `${safeJson(sdsFile(client), 2)}\n`);
  } catch (error) {
    throw new Failure(`--sds cannot be written: ${(error as Error).message}`);
  }
  shell.say(printable(`Wrote ${client.sdsPath}, which Envoy reads.`));
}
