import type { ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { formatDiagnostic } from "../../yaml/diagnostic.ts";
import type { CatalogObject, SourcedObject } from "../../yaml/read.ts";
import { createDryRun } from "../dry-run.ts";
import { forEachObject } from "../each.ts";
import { Failure, faultyParts } from "../failure.ts";
import { createProgress } from "../progress.ts";
import { isOvertaken, type Outcome, putObject } from "../put.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { filesArgument, readSources } from "../sources.ts";
import { type Tone, toned } from "../text.ts";

interface ApplyOptions extends ConnectionOptions {
  readonly filename: readonly string[];
  readonly dryRun?: true;
}

/** Builds the command `apply`. */
export function applyCommand(shell: Shell): Command {
  return clientCommand("apply")
    .description("Create or update the objects of YAML files.")
    .requiredOption(
      "-f, --filename <file>",
      "file, folder with all that is in it, or - for standard input; repeatable",
      filesArgument,
    )
    .option("--dry-run", "show what would be done, and change nothing")
    .addHelpText("after", examples)
    .action(async (options: ApplyOptions) => {
      const objects = await readSources(shell, options.filename);
      await withSession(options, async (clients, { server }) => {
        const isDryRun = options.dryRun === true;
        const put = isDryRun
          ? await createDryRun(shell, clients, objects)
          : (object: CatalogObject) => putObject(clients, object);
        await applyAll(shell, { objects, server, isDryRun, put });
      });
    });
}

const examples = `
Extensions are put before the attachments that may need them. An object that the server refuses is
reported with its place in the file, and the others are still put. If a file cannot be read
as objects of the catalog, nothing is put at all.

Examples:
  wasmext apply -f extensions.yaml
  wasmext apply -f catalog/ -f more.yaml --dry-run
  wasmext export yaml organizations/org | wasmext apply -f - --server https://other.example.com`;

const tones: Readonly<Record<Outcome, Tone>> = {
  created: "good",
  configured: "changed",
  unchanged: "quiet",
};

interface ApplyWork {
  /** Is emptied as the work goes on. */
  readonly objects: SourcedObject[];
  readonly server: string;
  readonly isDryRun: boolean;
  readonly put: (object: CatalogObject) => Promise<Outcome>;
}

async function applyAll(
  shell: Shell,
  { objects, server, isDryRun, put }: ApplyWork,
): Promise<void> {
  const suffix = isDryRun ? " (dry run)" : "";
  const counts = new Map<string, number>();
  const total = objects.length;
  const progress = createProgress(shell, (done) => `${done} of ${total}`);
  const { refused, remaining, failure } = await forEachObject(shell, {
    items: objects.sort(byOrder),
    server,
    explain: explainRefusal,
    async act(source) {
      progress.advance();
      const outcome = await put(source.object);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      await shell.print(`${source.fqn} ${toned(shell, tones[outcome], outcome)}${suffix}\n`);
    },
  });
  progress.end();
  counts.set("refused", refused).set("remaining", remaining);
  await shell.print(`${summaryOf(counts)}${suffix}\n`);
  if (failure !== undefined) {
    throw failure;
  }
}

/** Extensions first: an attached extension has to exist. */
function byOrder(a: SourcedObject, b: SourcedObject): number {
  const rank = ({ object }: SourcedObject): number => (object.kind === "WasmExtension" ? 0 : 1);
  return rank(a) - rank(b);
}

function summaryOf(counts: ReadonlyMap<string, number>): string {
  return ["created", "configured", "unchanged", "refused", "remaining"]
    .filter((result) => (counts.get(result) ?? 0) > 0)
    .map((result) => `${counts.get(result) ?? 0} ${result}`)
    .join(", ");
}

/** Why an object was refused, with the place in the file of each field at fault. */
function explainRefusal(source: SourcedObject, error: ConnectError | Failure): readonly string[] {
  if (error instanceof Failure) {
    return error.lines;
  }
  if (isOvertaken(error)) {
    const message = `${source.fqn} was changed by someone else at the same time, and is left unchanged; check it and apply again`;
    return [formatDiagnostic({ ...source.position, field: "", message })];
  }
  const parts = faultyParts(error);
  if (parts.length === 0) {
    const message = `${source.fqn}: ${error.rawMessage}`;
    return [formatDiagnostic({ ...source.position, field: "", message })];
  }
  return parts
    .map(({ name, description }) => {
      const field = name.replace(/^(?:wasm_extension|attachment_set)(?:\.|$)/, "");
      return source.diagnosticOfField(field, description);
    })
    .toSorted((a, b) => a.line - b.line)
    .map(formatDiagnostic);
}
