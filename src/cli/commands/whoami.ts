import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  type Permission,
  PermissionSchema,
  type WhoAmIResponse,
  WhoAmIResponseSchema,
} from "../../../gen/wasmext/v1/access_service_pb.ts";
import { jsonOptions } from "../../wire/options.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { type Format, outputOption, printData } from "../output.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { formatTable, printable } from "../text.ts";

interface WhoamiOptions extends ConnectionOptions {
  readonly output: Format;
}

/** Builds the command `whoami`. */
export function whoamiCommand(shell: Shell): Command {
  return clientCommand("whoami")
    .description("Show the identity of the caller at the server, and its grants.")
    .addOption(outputOption(["table", "yaml", "json"]))
    .addHelpText("after", examples)
    .action(async (options: WhoamiOptions) => {
      await withSession(options, async (clients) => {
        const answer = await clients.access.whoAmI({});
        await (options.output === "table"
          ? shell.print(viewOf(shell, answer))
          : printData(shell, options.output, toJson(WhoAmIResponseSchema, answer, jsonOptions)));
      });
    });
}

const examples = `
A grant covers the resource and all below it.

Examples:
  wasmext whoami
  wasmext whoami --token-file token -o json`;

function viewOf(shell: Shell, { principal, grants, expireTime }: WhoAmIResponse): string {
  const until =
    expireTime === undefined ? "" : `, until ${timestampDate(expireTime).toISOString()}`;
  const name = `${printable(principal)}${until}\n`;
  if (grants.length === 0) {
    shell.say("No grants.");
    return name;
  }
  const rows = grants.map(({ resource, permissions }) => [
    resource,
    permissions.map(permissionName).join(", "),
  ]);
  return `${name}\n${formatTable(shell, ["RESOURCE", "PERMISSIONS"], rows)}`;
}

function permissionName(permission: Permission): string {
  const found = PermissionSchema.values.find(({ number }) => number === permission);
  return found?.name.replace("PERMISSION_", "") ?? String(permission);
}
