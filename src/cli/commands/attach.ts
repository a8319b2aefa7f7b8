import { create, type JsonObject } from "@bufbuild/protobuf";
import { Argument, type Command, InvalidArgumentError } from "commander";
import {
  PortSelectorSchema,
  TrafficSelectorSchema,
  type WasmExtensionAttachment,
} from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import {
  type AttachmentSet,
  WorkloadSelectorSchema,
} from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { parseYaml } from "../../yaml/document.ts";
import { isMapping } from "../../wire/json.ts";
import { forEachNamed } from "../each.ts";
import { editAttachments, withAttachment } from "../edit-attachments.ts";
import { Failure } from "../failure.ts";
import { extensionArgument, targetsArgument } from "../fqn-argument.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { toned } from "../text.ts";
import { wholeNumber } from "../whole-number.ts";
import { modeOption, type ModeName, modeNamed } from "../traffic-options.ts";

interface AttachOptions extends ConnectionOptions {
  readonly config?: JsonObject;
  readonly mode?: ModeName;
  readonly port?: readonly number[];
  readonly namespace?: string;
  readonly label?: Record<string, string>;
}

/** Builds the command `attach`. */
export function attachCommand(shell: Shell): Command {
  return clientCommand("attach")
    .description("Attach an extension to gateways and security groups.")
    .addArgument(new Argument("<extension>", "extension to attach").argParser(extensionArgument))
    .addArgument(
      new Argument("<target...>", "gateways and security groups to attach it to").argParser(
        targetsArgument,
      ),
    )
    .option(
      "--config <yaml>",
      "configuration at the targets, instead of the extension's",
      parseConfig,
    )
    .addOption(modeOption("traffic at the targets, instead of the extension's"))
    .option("--port <number>", "port of the traffic at the targets; repeatable", parsePorts)
    .option("--namespace <name>", "Kubernetes namespace of the target's workloads")
    .option("--label <key=value>", "label of the target's workloads; repeatable", parseLabels)
    .addHelpText("after", examples)
    .action(async (extension: string, targets: readonly string[], options: AttachOptions) => {
      await withSession(options, async (clients, { server }) => {
        const fqns = [...new Set(targets)];
        await forEachNamed(shell, { fqns, server }, async (target) => {
          const outcome = await editAttachments(clients, target, (attachmentSet) =>
            withAttachment(withWorkloads(attachmentSet, options), extension, (attachment) =>
              changed(attachment, options),
            ),
          );
          const tone = outcome === "unchanged" ? "quiet" : "good";
          await shell.print(`${target} ${toned(shell, tone, outcome)}\n`);
        });
      });
    });
}

const examples = `
If the extension is attached already, the options change that attachment and leave the rest of it as it
is; of several attachments of it, they change the first.
--config and --port replace what there was, --label adds to it. What is refused is reported with its
target, and the others are still done.

Examples:
  wasmext attach organizations/org/extensions/wasm-auth \\
    organizations/org/tenants/t/workspaces/w/gatewaygroups/g/ingressgateways/web \\
    --namespace web --label app=ingress
  wasmext attach organizations/org/extensions/wasm-auth \\
    organizations/org/tenants/t/workspaces/w/securitygroups/sg \\
    --config '{"some_key": "for this group"}' --mode SERVER --port 8080`;

/**
 * The attachment with what the options say.
 *
 * Raises a Failure if they select traffic and the attachment has several selectors.
 */
function changed(
  attachment: WasmExtensionAttachment,
  { config, mode, port }: AttachOptions,
): WasmExtensionAttachment {
  const isSelecting = mode !== undefined || port !== undefined;
  const [selector = create(TrafficSelectorSchema), ...more] = attachment.match;
  if (isSelecting && more.length > 0) {
    throw new Failure(
      `${attachment.fqn} is attached with several traffic selectors, and --mode and --port set only one; edit the output of get -o yaml and apply it`,
    );
  }
  const selected = {
    ...selector,
    ...(mode && { mode: modeNamed(mode) }),
    ...(port && { ports: port.map((number) => create(PortSelectorSchema, { number })) }),
  };
  return {
    ...attachment,
    ...(config && { config }),
    ...(isSelecting && { match: [selected] }),
  };
}

function withWorkloads(
  attachmentSet: AttachmentSet,
  { namespace, label }: AttachOptions,
): AttachmentSet {
  if (namespace === undefined && label === undefined) {
    return attachmentSet;
  }
  const workloadSelector = {
    ...(attachmentSet.workloadSelector ?? create(WorkloadSelectorSchema)),
    ...(namespace !== undefined && { namespace }),
    ...(label && { labels: { ...attachmentSet.workloadSelector?.labels, ...label } }),
  };
  return { ...attachmentSet, workloadSelector };
}

function parseConfig(text: string): JsonObject {
  const [only, next] = [...parseYaml("--config", text)];
  const bad = [only, next].find((item) => item?.kind === "unreadable");
  if (bad?.kind === "unreadable") {
    const { line, column, message } = bad.diagnostic;
    throw new InvalidArgumentError(`Line ${line}, column ${column}: ${message}.`);
  }
  if (only?.kind !== "document" || next !== undefined || !isMapping(only.document.value)) {
    throw new InvalidArgumentError(
      'It has to be a mapping in YAML or JSON, such as {"some_key": "some_value"}.',
    );
  }
  return only.document.value;
}

function parsePorts(text: string, before: readonly number[] = []): number[] {
  return [...before, wholeNumber(1, 65535)(text)];
}

function parseLabels(text: string, before: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) {
    throw new InvalidArgumentError("It has to be KEY=VALUE, such as app=ingress.");
  }
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
