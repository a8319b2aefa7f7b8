import { Argument, type Command } from "commander";
import { documentsOf, objectsUnder } from "../catalog-objects.ts";
import { parentArgument } from "../fqn-argument.ts";
import { type Format, outputOption, printData } from "../output.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { viewOfObjects } from "../views.ts";

interface ListOptions extends ConnectionOptions {
  readonly output: Format;
}

/** Builds the command `list`. */
export function listCommand(shell: Shell): Command {
  return clientCommand("list")
    .description("List extensions in the order in which they run, and what targets attach.")
    .addArgument(
      new Argument("<parent>", "organization, tenant, workspace or group").argParser(
        parentArgument,
      ),
    )
    .addOption(outputOption(["table", "yaml", "json"]))
    .addHelpText("after", examples)
    .action(async (parent: string, options: ListOptions) => {
      await withSession(options, async (clients) => {
        const objects = await objectsUnder(clients, parent);
        if (options.output !== "table") {
          await printData(shell, options.output, documentsOf(objects));
          return;
        }
        const view = viewOfObjects(shell, objects);
        if (view === "") {
          shell.say(`There is nothing under ${parent}.`);
        }
        await shell.print(view);
      });
    });
}

const examples = `
For a tenant, it lists the extensions that the tenant may use. Workspaces and groups have attachments only.

Examples:
  wasmext list organizations/org
  wasmext list organizations/org/tenants/tenant1
  wasmext list organizations/org -o json | jq -r '.[] | select(.kind == "WasmExtension").spec.url'`;
