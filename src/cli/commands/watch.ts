import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { lastSegment } from "../../catalog/names/fqn.ts";
import { writeYaml } from "../../yaml/write.ts";
import { documentsOf } from "../catalog-objects.ts";
import { follow } from "../follow.ts";
import { watchableArgument } from "../fqn-argument.ts";
import { type Format, outputOption, safeJson } from "../output.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { printable, type Tone, toned } from "../text.ts";
import { phaseName } from "../views.ts";
import type { Change } from "../watch-place.ts";

interface WatchOptions extends ConnectionOptions {
  readonly from: bigint;
  readonly output: Format;
}

/** Servers send a bookmark every 25 s at least. */
const silenceMs = 60_000;

/** Builds the command `watch`. */
export function watchCommand(shell: Shell): Command {
  return clientCommand("watch")
    .description("Show the present state, and then each change.")
    .addArgument(new Argument("<parent>", "organization or tenant").argParser(watchableArgument))
    .addOption(
      new Option("--from <revision>", "begin with the changes from a revision on")
        .default(0n, "0, the present state")
        .argParser(parseRevision),
    )
    .addOption(outputOption(["table", "yaml", "json"]))
    .addHelpText("after", examples)
    .action(async (parent: string, options: WatchOptions) => {
      await withSession(options, async (clients, { hasNewToken }) => {
        const { closed: signal } = shell;
        const changes = follow(clients, {
          parent,
          startRevision: options.from,
          signal,
          silenceMs,
          hasNewToken,
          now: () => shell.now(),
          note: (text) => {
            shell.say(printable(text));
          },
          wait: (ms) => delay(ms, undefined, { signal }).catch(() => undefined),
        });
        for await (const change of changes) {
          await shell.print(formats[options.output](shell, change));
        }
      });
    });
}

const examples = `
It goes on until it is interrupted. When the connection is lost, it connects again and shows what has
changed meanwhile. In JSON each change is one line.

Examples:
  wasmext watch organizations/org
  wasmext watch organizations/org/tenants/tenant1 --from 1200
  wasmext watch organizations/org -o json | jq -r 'select(.action == "deleted") | .fqn'`;

const tones: Readonly<Record<Change["action"], Tone>> = {
  present: "quiet",
  created: "good",
  changed: "changed",
  put: "changed",
  deleted: "bad",
};

const formats: Readonly<Record<Format, (shell: Shell, change: Change) => string>> = {
  table(shell, change) {
    const action = toned(shell, tones[change.action], change.action.padEnd(7));
    const line = [String(change.revision).padStart(6), action, change.fqn, summaryOf(change)];
    return `${line.join("  ").trimEnd()}\n`;
  },
  yaml: (_shell, change) => `---\n${writeYaml([dataOf(change)])}`,
  json: (_shell, change) => `${safeJson(dataOf(change))}\n`,
};

function summaryOf({ object }: Change): string {
  switch (object?.$typeName) {
    case "tetrateio.api.tsb.extension.v2.WasmExtension":
      return printable(`${phaseName(object.phase)} ${object.priority} ${object.url}`);
    case "wasmext.v1.AttachmentSet": {
      const names = object.extension.map(({ fqn }) => lastSegment(fqn));
      return `attaches ${names.length === 0 ? "nothing" : names.join(", ")}`;
    }
    case undefined:
      return "";
  }
}

function dataOf({ revision, action, fqn, object }: Change): JsonObject {
  const objects =
    object?.$typeName === "wasmext.v1.AttachmentSet"
      ? { extensions: [], attachmentSets: [object] }
      : { extensions: object === undefined ? [] : [object], attachmentSets: [] };
  const [document] = documentsOf(objects);
  return { revision: String(revision), action, fqn, ...(document && { object: document }) };
}

function parseRevision(text: string): bigint {
  if (!/^\d{1,18}$/.test(text)) {
    throw new InvalidArgumentError(
      "It has to be a revision, a whole number; 0 is the present state.",
    );
  }
  return BigInt(text);
}
