import { create, toJson } from "@bufbuild/protobuf";
import { Argument, type Command } from "commander";
import { type Status, StatusSchema } from "../../../gen/wasmext/v1/proxy_pb.ts";
import { jsonOptions } from "../../wire/options.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { objectArgument } from "../fqn-argument.ts";
import { type Format, outputOption, printData } from "../output.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { formatTable, printable } from "../text.ts";
import { runsOn } from "../views.ts";

interface StatusOptions extends ConnectionOptions {
  readonly output: Format;
}

/** Builds the command `status`. */
export function statusCommand(shell: Shell): Command {
  return clientCommand("status")
    .description("Show on how many proxies an extension, or what a target attaches, runs.")
    .addArgument(new Argument("<fqn>", "extension or target").argParser(objectArgument))
    .addOption(outputOption(["table", "yaml", "json"]))
    .addHelpText("after", examples)
    .action(async (fqn: string, { output, ...options }: StatusOptions) => {
      await withSession(options, async ({ proxies }) => {
        // answers.ts refuses an answer without a status.
        const { status = create(StatusSchema) } = await proxies.getStatus({ fqn });
        await (output === "table"
          ? shell.print(viewOfStatus(shell, status))
          : printData(shell, output, toJson(StatusSchema, status, jsonOptions)));
      });
    });
}

const examples = `
Examples:
  wasmext status organizations/org/extensions/waf
  wasmext status organizations/org/tenants/t/workspaces/w/gatewaygroups/g/ingressgateways/web -o json`;

function viewOfStatus(shell: Shell, { fqn, summary, attachments }: Status): string {
  const head = `${fqn} ${printable(summary)}\n`;
  if (attachments.length === 0) {
    return head;
  }
  const rows = attachments.map((attachment) => [
    attachment.target,
    attachment.extension,
    runsOn(attachment),
    attachment.summary,
  ]);
  return `${head}\n${formatTable(shell, ["TARGET", "EXTENSION", "RUNS ON", "SUMMARY"], rows)}`;
}
