/* `wasmext serve` as users start it, in this process. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import type { WasmExtensionSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { WasmExtensionAttachmentSchema } from "../../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { type Clients, createClients } from "../../../src/cli/clients.ts";
import { serveCommand } from "../../../src/cli/commands/serve.ts";
import type { ServeOptions } from "../../../src/cli/serve-options.ts";
import { startServer } from "../../../src/start-server/start-server.ts";
import { acme, ext } from "../../support/acme.ts";
import { folderOf, type Ran, runCli } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";

type Body = MessageInitShape<typeof WasmExtensionSchema>;
type Attachment = MessageInitShape<typeof WasmExtensionAttachmentSchema>;

/** A server; it ends at the end of the `await using` block. */
export interface Serving extends AsyncDisposable {
  readonly url: string;
  /** The lines of its log, parsed. */
  readonly log: readonly { readonly msg: string; readonly level: number }[];
  /** Clients that show the token of the server's owner, if it has one. */
  readonly clients: Clients;
  clientsOf(token: string): Clients;
  /** Creates an extension of acme, or replaces it. */
  readonly put: (name: string, body: Body) => Promise<void>;
  readonly remove: (name: string) => Promise<void>;
  /** Replaces the attachments of a target, whatever they are. */
  readonly attach: (target: string, extension: Attachment[]) => Promise<void>;
  /** Runs a command line that talks to it. */
  cli(...parameters: string[]): Promise<Ran>;
  /** Resolves with the first line of its log that has a text, now or later. */
  logged(text: string): Promise<string>;
}

/** Starts a server with the parameters of `wasmext serve`, on a free port. Modules may come from loopback. */
export function startServing(...parameters: string[]): Promise<Serving> {
  return startServingAs(undefined, parameters);
}

/**
 * Starts a server that `clients` and the commands talk to with a token.
 *
 * @param ca - file of the authority of its certificate
 */
export async function startServingAs(
  token: string | undefined,
  parameters: readonly string[],
  ca?: string,
): Promise<Serving> {
  const folder = folderOf({});
  const options = await parseServe([
    ...["--port", "0", "--module-cache", join(folder.path, "modules")],
    ...["--allow-module-network", "127.0.0.0/8", "--log-level", "info"],
    ...parameters,
  ]);
  const log: { msg: string; level: number }[] = [];
  const write = (line: string): void => void log.push(JSON.parse(line) as (typeof log)[number]);
  const server = await startServer(options, pino({ level: options.logLevel }, { write }), {});
  const clientsOf = (shown = token): Clients =>
    createClients(
      createGrpcTransport({
        baseUrl: server.url,
        ...(ca !== undefined && { nodeOptions: { ca: readFileSync(ca) } }),
        interceptors: [
          (next) => (request) => {
            if (shown !== undefined) {
              request.header.set("authorization", `Bearer ${shown}`);
            }
            return next(request);
          },
        ],
      }),
    );
  const clients = clientsOf();
  const { extensions, attachments } = clients;
  const etagOf = async (get: Promise<{ etag: string } | undefined>): Promise<string> =>
    (await get.catch(() => undefined))?.etag ?? "";
  return {
    url: server.url,
    log,
    clients,
    clientsOf,
    async put(name, body) {
      const etag = await etagOf(extensions.getWasmExtension({ fqn: ext(name) }));
      await (etag === ""
        ? extensions.createWasmExtension({ parent: acme, name, wasmExtension: body })
        : extensions.updateWasmExtension({ ...body, fqn: ext(name), etag }));
    },
    async remove(name) {
      await extensions.deleteWasmExtension({ fqn: ext(name) });
    },
    async attach(target, extension) {
      const present = attachments.getAttachments({ fqn: target });
      const etag = await etagOf(present.then(({ attachmentSet }) => attachmentSet));
      await attachments.setAttachments({ attachmentSet: { fqn: target, extension, etag } });
    },
    cli: (...given) =>
      runCli([
        ...given,
        "--server",
        server.url,
        ...(token === undefined ? [] : ["--token", token]),
      ]),
    logged: (text) =>
      eventually(`"${text}" in the server's log`, () =>
        log.map(({ msg }) => msg).find((msg) => msg.includes(text)),
      ),
    async [Symbol.asyncDispose]() {
      await server.close();
      folder[Symbol.dispose]();
    },
  };
}

/** The options that parameters of \`wasmext serve\` mean. */
async function parseServe(parameters: readonly string[]): Promise<ServeOptions> {
  const parsed = Promise.withResolvers<ServeOptions>();
  const command = serveCommand((options) => {
    parsed.resolve(options);
    return Promise.resolve();
  });
  await command.exitOverride().parseAsync(parameters, { from: "user" });
  return parsed.promise;
}
