import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { lastSegment } from "../../catalog/names/fqn.ts";
import { targetOf } from "../../catalog/names/target.ts";
import { writeBootstrap, writeFilters } from "../../envoy-config/bootstrap.ts";
import type { Address } from "../../envoy-config/proxy.ts";
import { addressArgument, listenArgument } from "../address.ts";
import { clientCommand } from "../connection.ts";
import { targetArgument } from "../fqn-argument.ts";
import { type Listener, listenerArgument } from "../listener-argument.ts";
import { defaultCa, type ProxyServerOptions, serverOf, writeSds } from "../proxy-server.ts";
import type { Shell } from "../shell.ts";

interface BootstrapOptions extends ProxyServerOptions {
  readonly filters?: true;
  readonly listener?: Listener;
  readonly atomic?: true;
  readonly ads: boolean;
  readonly nodeId?: string;
  readonly listen: Address;
  readonly admin: Address;
  readonly upstream?: Address;
}

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
    const proxy = {
      target,
      listener: listenerOf(command, target, options.listener).text,
      isAtomic: options.atomic === true,
      hasOwnStreams: !options.ads,
      server: serverOf(command, options),
    };
    if (proxy.server.token.kind === "text") {
      shell.say("warning: the output has the token of --token in it; --token-file keeps it out");
    }
    await writeSds(shell, proxy.server);
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
