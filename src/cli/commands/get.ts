import { Argument, type Command } from "commander";
import { type CatalogObjects, documentsOf, getObject } from "../catalog-objects.ts";
import { objectsArgument } from "../fqn-argument.ts";
import { type Format, outputOption, printData } from "../output.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { viewOfObjects } from "../views.ts";

interface GetOptions extends ConnectionOptions {
  readonly output: Format;
}

/** Builds the command `get`. */
export function getCommand(shell: Shell): Command {
  return clientCommand("get")
    .description("Show extensions, and what targets attach.")
    .addArgument(new Argument("<fqn...>", "extensions and targets").argParser(objectsArgument))
    .addOption(outputOption(["table", "yaml", "json"]))
    .addHelpText("after", examples)
    .action(async (fqns: readonly string[], options: GetOptions) => {
      await withSession(options, async (clients) => {
        const found: CatalogObjects[] = [];
        for (const fqn of fqns) {
          found.push(await getObject(clients, fqn));
        }
        const objects = {
          extensions: found.flatMap(({ extensions }) => extensions),
          attachmentSets: found.flatMap(({ attachmentSets }) => attachmentSets),
        };
        const documents = documentsOf(objects);
        const [only] = documents;
        await (options.output === "table"
          ? shell.print(viewOfObjects(shell, objects))
          : printData(shell, options.output, fqns.length === 1 && only ? only : documents));
      });
    });
}

const examples = `
Examples:
  wasmext get organizations/org/extensions/wasm-auth
  wasmext get organizations/org/tenants/t/workspaces/w/securitygroups/sg -o yaml`;
