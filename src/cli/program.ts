import { Command, CommanderError } from "commander";
import { applyCommand } from "./commands/apply.ts";
import { attachCommand } from "./commands/attach.ts";
import { chainCommand } from "./commands/chain.ts";
import { deleteCommand } from "./commands/delete.ts";
import { detachCommand } from "./commands/detach.ts";
import { exportCommand } from "./commands/export.ts";
import { Failure } from "./failure.ts";
import { getCommand } from "./commands/get.ts";
import { listCommand } from "./commands/list.ts";
import { serveCommand } from "./commands/serve.ts";
import type { ServeOptions } from "./serve-options.ts";
import type { Shell } from "./shell.ts";
import { complain } from "./text.ts";
import { tokenCommand } from "./commands/token.ts";
import { watchCommand } from "./commands/watch.ts";
import { whoamiCommand } from "./commands/whoami.ts";

/** An exit code. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** The exit codes. */
type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * Runs a command to its end and resolves with the exit code: 0, 1 if something was refused or failed,
 * 2 if the command line is wrong.
 *
 * @param serve - serves until the process is told to end
 * @param parameters - the arguments, without the program's name
 */
export async function runProgram(
  shell: Shell,
  serve: (options: ServeOptions) => Promise<void>,
  parameters: readonly string[],
): Promise<ExitCode> {
  const printed: Promise<void>[] = [];
  const print = (text: string): unknown => printed.push(shell.print(text));
  const program = createProgram(shell, serve, print);
  try {
    await program.parseAsync(parameters, { from: "user" });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    }
    if (!(error instanceof Failure)) {
      throw error;
    }
    complain(shell, error.lines);
    return exitCodes.failed;
  } finally {
    await Promise.all(printed);
  }
}

function createProgram(
  shell: Shell,
  serve: (options: ServeOptions) => Promise<void>,
  print: (text: string) => void,
): Command {
  const program = new Command("wasmext")
    .description("The catalog of WebAssembly extensions for service meshes.")
    .version(shell.version, "--version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: print,
      writeErr: (text) => {
        // The value of a misspelt option may be a secret.
        shell.say(text.trimEnd().replace(/(unknown option '--?[^=']*)=[^]*'/, "$1'"));
      },
    })
    .addHelpText("after", examples);
  const commands = [
    serveCommand(serve),
    applyCommand(shell),
    getCommand(shell),
    listCommand(shell),
    deleteCommand(shell),
    attachCommand(shell),
    detachCommand(shell),
    chainCommand(shell),
    watchCommand(shell),
    exportCommand(shell),
    whoamiCommand(shell),
    tokenCommand(shell),
  ];
  for (const command of commands) {
    inherit(command, program);
    program.addCommand(command);
  }
  return program;
}

/** Applies the handling of errors and output to subcommands, which do not inherit it. */
function inherit(command: Command, from: Command): void {
  command.copyInheritedSettings(from);
  for (const inner of command.commands) {
    inherit(inner, command);
  }
}

const examples = `
Each command explains itself: wasmext apply --help.

Examples:
  wasmext serve
  wasmext apply -f extensions.yaml
  wasmext list organizations/org
  wasmext chain organizations/org/tenants/t/workspaces/w/gatewaygroups/g/ingressgateways/web
  wasmext export istio organizations/org | kubectl apply --server-side -f -`;
