/* The server as a proxy reaches it, made of the options by which commands reach it. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { Server, Tls, TokenSource } from "../envoy-config/proxy.ts";
import { sdsFile } from "../envoy-config/tls.ts";
import { addressOfUrl } from "./address.ts";
import type { ConnectionOptions } from "./connection.ts";
import { parseToken } from "./credentials.ts";
import { Failure } from "./failure.ts";
import { safeJson } from "./output.ts";
import type { Shell } from "./shell.ts";
import { printable } from "./text.ts";

/** The options of the connection, and how a proxy keeps to them. */
export interface ProxyServerOptions extends ConnectionOptions {
  /** The file of SDS for the client certificate. */
  readonly sds?: string;
}

/** The certificates of Debian, Alpine and Envoy's own images. */
export const defaultCa = "/etc/ssl/certs/ca-certificates.crt";

/** The server of the options; ends the command if they contradict each other. */
export function serverOf(command: Command, options: ProxyServerOptions): Server {
  if (options.sds !== undefined && options.clientCert === undefined) {
    command.error("error: --sds is for --client-cert and --client-key; set them as well");
  }
  return {
    address: addressOfUrl(options.server),
    token: tokenOf(command, options),
    tls: tlsOf(options),
  };
}

function tokenOf(command: Command, { token, tokenFile }: ConnectionOptions): TokenSource {
  if (tokenFile !== undefined) {
    return { kind: "file", path: resolve(tokenFile) };
  }
  if (token === undefined) {
    return { kind: "none" };
  }
  return command.getOptionValueSource("token") === "env"
    ? { kind: "variable", name: "WASMEXT_TOKEN" }
    : { kind: "text", token: parseToken("--token", token) };
}

function tlsOf(options: ProxyServerOptions): Tls | undefined {
  const { server, ca = defaultCa, clientCert, clientKey, sds } = options;
  if (!server.startsWith("https:")) {
    return undefined;
  }
  const client =
    clientCert === undefined || clientKey === undefined
      ? undefined
      : {
          certPath: resolve(clientCert),
          keyPath: resolve(clientKey),
          sdsPath: sds === undefined ? undefined : resolve(sds),
        };
  return { caPath: resolve(ca), client };
}

/** Writes the file of SDS, if there is to be one. */
export async function writeSds(shell: Shell, { tls }: Server): Promise<void> {
  const client = tls?.client;
  if (client?.sdsPath === undefined) {
    return;
  }
  try {
    await writeFile(client.sdsPath, `${safeJson(sdsFile(client), 2)}\n`);
  } catch (error) {
    throw new Failure(`--sds cannot be written: ${(error as Error).message}`);
  }
  shell.say(printable(`Wrote ${client.sdsPath}, which Envoy reads.`));
}
