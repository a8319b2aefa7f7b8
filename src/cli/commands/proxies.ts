import { toJson } from "@bufbuild/protobuf";
import { Argument, type Command } from "commander";
import {
  LinkState,
  type Proxy,
  type ProxySlot,
  ProxySchema,
} from "../../../gen/wasmext/v1/proxy_pb.ts";
import { maxPageSize } from "../../catalog/reads/pages.ts";
import { jsonOptions } from "../../wire/options.ts";
import type { Clients } from "../clients.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { parentOrTargetArgument } from "../fqn-argument.ts";
import { type Format, outputOption, printData } from "../output.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { formatTable } from "../text.ts";
import { nothing, phaseName, runsOn } from "../views.ts";

interface ProxiesOptions extends ConnectionOptions {
  readonly output: Format;
}

/** Builds the command `proxies`. */
export function proxiesCommand(shell: Shell): Command {
  return clientCommand("proxies")
    .description("List the proxies that are connected to the server, and what they run.")
    .addArgument(
      new Argument(
        "<parent>",
        "target, or organization, tenant, workspace or gateway group",
      ).argParser(parentOrTargetArgument),
    )
    .addOption(outputOption(["table", "yaml", "json"]))
    .addHelpText("after", examples)
    .action(async (parent: string, { output, ...options }: ProxiesOptions) => {
      await withSession(options, async (clients) => {
        const proxies = await proxiesUnder(clients, parent);
        if (output !== "table") {
          const data = proxies.map((proxy) => toJson(ProxySchema, proxy, jsonOptions));
          await printData(shell, output, data);
          return;
        }
        if (proxies.length === 0) {
          shell.say(`No proxy is connected that serves a target under ${parent}.`);
          return;
        }
        await shell.print(viewOfProxies(shell, proxies));
      });
    });
}

const examples = `
A proxy names its target in its bootstrap; wasmext envoy bootstrap prints one. Each server lists its own proxies.

Examples:
  wasmext proxies organizations/org
  wasmext proxies organizations/org/tenants/t -o json | jq -r '.[].nodeId'`;

async function proxiesUnder({ proxies }: Clients, parent: string): Promise<Proxy[]> {
  const all: Proxy[] = [];
  for (let pageToken = ""; ;) {
    const page = await proxies.listProxies({ parent, pageSize: maxPageSize, pageToken });
    all.push(...page.proxies);
    pageToken = page.nextPageToken;
    if (pageToken === "") {
      return all;
    }
  }
}

function viewOfProxies(shell: Shell, proxies: readonly Proxy[]): string {
  return formatTable(
    shell,
    ["PROXY", "VERSION", "TARGET", "LISTENER", "PHASES", "RUNS", "REVISION", "PROBLEM"],
    proxies.flatMap((proxy) =>
      proxy.slots.map((slot) => [
        proxy.nodeId === "" ? nothing : proxy.nodeId,
        proxy.version === "" ? nothing : proxy.version,
        slot.target,
        slot.listener,
        slot.phases.map(phaseName).join(","),
        runsOn(countsOf(slot)),
        slot.runningRevision === 0n ? nothing : String(slot.runningRevision),
        problemOf(proxy, slot),
      ]),
    ),
  );
}

/** How many of the links of a slot run. */
function countsOf({ links }: ProxySlot): { running: number; proxies: number } {
  const running = links.filter(({ state }) => state === LinkState.APPLIED).length;
  return { running, proxies: links.length };
}

function problemOf({ problem }: Proxy, slot: ProxySlot): string {
  const faulty = slot.links.find(({ message }) => message !== "");
  const found = [problem, slot.problem, faulty && `${faulty.fqn}: ${faulty.message}`];
  return found.find((text) => text !== undefined && text !== "") ?? nothing;
}
