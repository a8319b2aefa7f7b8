import { Argument, type Command } from "commander";
import { forEachNamed } from "../each.ts";
import { editAttachments } from "../edit-attachments.ts";
import { extensionArgument, targetsArgument } from "../fqn-argument.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { toned } from "../text.ts";

/** Builds the command `detach`. */
export function detachCommand(shell: Shell): Command {
  return clientCommand("detach")
    .description("Remove all attachments of an extension from gateways and security groups.")
    .addArgument(new Argument("<extension>", "extension to detach").argParser(extensionArgument))
    .addArgument(
      new Argument("<target...>", "gateways and security groups to detach it from").argParser(
        targetsArgument,
      ),
    )
    .addHelpText("after", examples)
    .action(async (fqn: string, targets: readonly string[], options: ConnectionOptions) => {
      await withSession(options, async (clients, { server }) => {
        const targeted = [...new Set(targets)];
        await forEachNamed(shell, { fqns: targeted, server }, async (target) => {
          const outcome = await editAttachments(clients, target, (attachmentSet) => {
            const { extension: all } = attachmentSet;
            const extension = all.filter((attachment) => attachment.fqn !== fqn);
            return extension.length === all.length ? undefined : { ...attachmentSet, extension };
          });
          const tone = outcome === "unchanged" ? "quiet" : "changed";
          await shell.print(`${target} ${toned(shell, tone, outcome)}\n`);
        });
      });
    });
}

const examples = `
Examples:
  wasmext detach organizations/org/extensions/wasm-auth \\
    organizations/org/tenants/t/workspaces/w/securitygroups/sg`;
