import { Command, CommanderError } from "commander";
import { Failure } from "./failure.ts";
import type { ServeOptions } from "./serve-options.ts";
import type { Shell } from "./shell.ts";
import { complain } from "./text.ts";

/** Serves until the process is told to end. */
type Serve = (options: ServeOptions) => Promise<void>;

/** Loads each command with what it needs, which takes longer than most commands do. */
const loaders = {
  serve: async (_: Shell, serve: Serve) =>
    (await import("./commands/serve.ts")).serveCommand(serve),
  apply: async (shell: Shell) => (await import("./commands/apply.ts")).applyCommand(shell),
  get: async (shell: Shell) => (await import("./commands/get.ts")).getCommand(shell),
  list: async (shell: Shell) => (await import("./commands/list.ts")).listCommand(shell),
  delete: async (shell: Shell) => (await import("./commands/delete.ts")).deleteCommand(shell),
  attach: async (shell: Shell) => (await import("./commands/attach.ts")).attachCommand(shell),
  detach: async (shell: Shell) => (await import("./commands/detach.ts")).detachCommand(shell),
  chain: async (shell: Shell) => (await import("./commands/chain.ts")).chainCommand(shell),
  watch: async (shell: Shell) => (await import("./commands/watch.ts")).watchCommand(shell),
  proxies: async (shell: Shell) => (await import("./commands/proxies.ts")).proxiesCommand(shell),
  status: async (shell: Shell) => (await import("./commands/status.ts")).statusCommand(shell),
  wait: async (shell: Shell) => (await import("./commands/wait.ts")).waitCommand(shell),
  export: async (shell: Shell) => (await import("./commands/export.ts")).exportCommand(shell),
  envoy: async (shell: Shell) => (await import("./commands/envoy.ts")).envoyCommand(shell),
  whoami: async (shell: Shell) => (await import("./commands/whoami.ts")).whoamiCommand(shell),
  token: async (shell: Shell) => (await import("./commands/token.ts")).tokenCommand(shell),
} as const satisfies Record<string, (shell: Shell, serve: Serve) => Promise<Command>>;

type CommandName = keyof typeof loaders;

/** The names of the commands that arguments may be for: the one that they begin with, or all. */
function namesIn([first]: readonly string[]): CommandName[] {
  const names = Object.keys(loaders) as CommandName[];
  const named = names.filter((name) => name === first);
  return named.length > 0 ? named : names;
}

/** An exit code. */
export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** The exit codes. */
type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * Runs a command to its end and resolves with the exit code: 0, 1 if something was refused or failed,
 * 2 if the command line is wrong.
 *
 * @param parameters - the arguments, without the program's name
 */
export async function runProgram(
  shell: Shell,
  serve: Serve,
  parameters: readonly string[],
): Promise<ExitCode> {
  const printed: Promise<void>[] = [];
  const print = (text: string): unknown => printed.push(shell.print(text));
  const program = await createProgram(shell, serve, print, parameters);
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

async function createProgram(
  shell: Shell,
  serve: Serve,
  print: (text: string) => void,
  parameters: readonly string[],
): Promise<Command> {
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
  for (const name of namesIn(parameters)) {
    const command = await loaders[name](shell, serve);
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
