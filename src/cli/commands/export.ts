import { toJson } from "@bufbuild/protobuf";
import { Argument, Command } from "commander";
import { WasmPluginSchema } from "../../../gen/wasmext/v1/wasm_plugin_pb.ts";
import { jsonOptions } from "../../wire/options.ts";
import { documentsOf, objectsUnder } from "../catalog-objects.ts";
import { anyArgument, parentOrTargetArgument } from "../fqn-argument.ts";
import { outputOption, printData } from "../output.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";

interface ExportOptions extends ConnectionOptions {
  readonly output: "yaml" | "json";
}

/** Builds the command `export` with what it exports to. */
export function exportCommand(shell: Shell): Command {
  return new Command("export")
    .description("Write the content of the catalog in other formats.")
    .addCommand(exportIstioCommand(shell))
    .addCommand(exportYamlCommand(shell));
}

function exportIstioCommand(shell: Shell): Command {
  return clientCommand("istio")
    .description("Write the chains of targets as Istio's WasmPlugins, one for each link.")
    .addArgument(
      new Argument("<parent>", "target, or what targets are under").argParser(
        parentOrTargetArgument,
      ),
    )
    .addOption(outputOption(["yaml", "json"]))
    .addHelpText("after", istioExamples)
    .action(async (parent: string, options: ExportOptions) => {
      await withSession(options, async (clients) => {
        const { wasmPlugins } = await clients.exports.exportIstio({ parent });
        const items = wasmPlugins.map((plugin) => toJson(WasmPluginSchema, plugin, jsonOptions));
        if (items.length === 0) {
          shell.say(`Nothing runs under ${parent}.`);
        }
        // Kubernetes reads a stream of YAML documents, but only one JSON value.
        await printData(
          shell,
          options.output,
          options.output === "json" ? { apiVersion: "v1", kind: "List", items } : items,
        );
      });
    });
}

const istioExamples = `
If Istio or Kubernetes cannot hold some objects, the command names them and writes nothing. Client-side
apply limits configuration to 256 KiB, and reads null in it as a deletion; --server-side does neither.

Examples:
  wasmext export istio organizations/org/tenants/t | kubectl apply --server-side -f -
  wasmext export istio organizations/org/tenants/t/workspaces/w/securitygroups/sg -o json`;

function exportYamlCommand(shell: Shell): Command {
  return clientCommand("yaml")
    .description("Write objects as documents that apply takes back unchanged.")
    .addArgument(new Argument("<fqn>", "object, or what objects are under").argParser(anyArgument))
    .addHelpText("after", yamlExamples)
    .action(async (fqn: string, options: ConnectionOptions) => {
      await withSession(options, async (clients) => {
        const documents = documentsOf(await objectsUnder(clients, fqn));
        if (documents.length === 0) {
          shell.say(`There is nothing under ${fqn}.`);
        }
        await printData(shell, "yaml", documents);
      });
    });
}

const yamlExamples = `
Examples:
  wasmext export yaml organizations/org > catalog.yaml
  wasmext export yaml organizations/org/extensions/wasm-auth | wasmext apply -f - --dry-run`;
