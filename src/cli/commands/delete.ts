import { Argument, type Command } from "commander";
import { isExtension } from "../../catalog/names/fqn.ts";
import { forEachNamed } from "../each.ts";
import { objectsArgument } from "../fqn-argument.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { filesArgument, readSources } from "../sources.ts";
import { toned } from "../text.ts";

interface DeleteOptions extends ConnectionOptions {
  readonly filename?: readonly string[];
}

/** Builds the command `delete`. */
export function deleteCommand(shell: Shell): Command {
  return clientCommand("delete")
    .description("Delete extensions with their attachments, and what targets attach.")
    .addArgument(new Argument("[fqn...]", "extensions and targets").argParser(objectsArgument))
    .option(
      "-f, --filename <file>",
      "delete the objects of a file, a folder, or - for standard input; repeatable",
      filesArgument,
    )
    .addHelpText("after", examples)
    .action(async (named: readonly string[], options: DeleteOptions, command: Command) => {
      const { filename = [] } = options;
      if (named.length === 0 && filename.length === 0) {
        command.error("error: nothing to delete; name extensions and targets, or files with -f");
      }
      const read = filename.length === 0 ? [] : await readSources(shell, filename);
      await withSession(options, async (clients, { server }) => {
        const fqns = new Set([...named, ...read.map(({ fqn }) => fqn)]);
        await forEachNamed(shell, { fqns: inOrder([...fqns]), server }, async (fqn) => {
          await (isExtension(fqn)
            ? clients.extensions.deleteWasmExtension({ fqn })
            : clients.attachments.deleteAttachments({ fqn }));
          await shell.print(`${fqn} ${toned(shell, "bad", "deleted")}\n`);
        });
      });
    });
}

const examples = `
Deleting a target deletes what it attaches. Objects that cannot be deleted are reported, and the others
are still deleted.

Examples:
  wasmext delete organizations/org/extensions/wasm-auth
  wasmext delete -f extensions.yaml`;

/** Attachments first: deleting an extension deletes its attachments. */
function inOrder(fqns: readonly string[]): string[] {
  return fqns.toSorted((a, b) => Number(isExtension(a)) - Number(isExtension(b)));
}
