import { create, toJson } from "@bufbuild/protobuf";
import { Argument, type Command } from "commander";
import { type Chain, ChainSchema, ConfigSource } from "../../../gen/wasmext/v1/chain_pb.ts";
import type { AttachmentStatus } from "../../../gen/wasmext/v1/proxy_pb.ts";
import { jsonOptions } from "../../wire/options.ts";
import type { Clients } from "../clients.ts";
import { targetArgument } from "../fqn-argument.ts";
import { type Format, outputOption, printData } from "../output.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { formatTable, printable, toned } from "../text.ts";
import { modeOption, type ModeName, modeNamed } from "../traffic-options.ts";
import { wholeNumber } from "../whole-number.ts";
import { nothing, phaseName, runsOn, trafficOf } from "../views.ts";

interface ChainOptions extends ConnectionOptions {
  readonly mode?: ModeName;
  readonly port: number;
  readonly output: Format;
}

/** Builds the command `chain`. */
export function chainCommand(shell: Shell): Command {
  return clientCommand("chain")
    .description("Show what runs at a target, in order, and what does not run and why.")
    .addArgument(new Argument("<target>", "gateway or security group").argParser(targetArgument))
    .addOption(modeOption("show only what gets traffic of this direction"))
    .option(
      "--port <number>",
      "show only what gets traffic to this port; 0 is any",
      wholeNumber(0, 65535),
      0,
    )
    .addOption(outputOption(["table", "yaml", "json"]))
    .addHelpText("after", examples)
    .action(async (target: string, { mode, port, output, ...options }: ChainOptions) => {
      await withSession(options, async (clients) => {
        const request = { target, mode: modeNamed(mode), port };
        // answers.ts refuses an answer without a chain.
        const { chain = create(ChainSchema) } = await clients.chains.resolveChain(request);
        await (output === "table"
          ? shell.print(viewOfChain(shell, chain, await placesOf(clients, target)))
          : printData(shell, output, toJson(ChainSchema, chain, jsonOptions)));
      });
    });
}

const examples = `
Examples:
  wasmext chain organizations/org/tenants/t/workspaces/w/gatewaygroups/g/ingressgateways/web
  wasmext chain organizations/org/tenants/t/workspaces/w/securitygroups/sg --mode SERVER --port 8080`;

function configSourceName(source: ConfigSource): string {
  switch (source) {
    case ConfigSource.EXTENSION:
      return "extension";
    case ConfigSource.ATTACHMENT:
      return "attachment";
    default:
      return nothing;
  }
}

/** On how many proxies each attachment of a target runs, by its position. */
async function placesOf(
  { proxies }: Clients,
  target: string,
): Promise<ReadonlyMap<number, AttachmentStatus>> {
  const { status } = await proxies.getStatus({ fqn: target });
  return new Map(status?.attachments.map((attachment) => [attachment.position, attachment]));
}

function viewOfChain(
  shell: Shell,
  { links, excluded, target }: Chain,
  places: ReadonlyMap<number, AttachmentStatus>,
): string {
  const runs =
    links.length === 0
      ? `Nothing runs at ${target}.\n`
      : formatTable(
          shell,
          ["ORDER", "PHASE", "PRIORITY", "EXTENSION", "URL", "CONFIG FROM", "TRAFFIC", "RUNS ON"],
          links.map((link, index) => [
            String(index + 1),
            phaseName(link.phase),
            String(link.priority),
            link.fqn,
            link.url,
            configSourceName(link.configSource),
            trafficOf(link.match),
            runsOn(places.get(link.position)),
          ]),
        );
  const left = excluded.map(({ message }) => `  ${printable(message)}\n`);
  return left.length === 0
    ? runs
    : `${runs}\n${toned(shell, "heading", "Does not run:")}\n${left.join("")}`;
}
