/* A real `wasmext serve` in a process of the test's own, which can be killed and started again. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Clients, createClients } from "../../../src/cli/clients.ts";
import { acme } from "../../support/acme.ts";
import { eventually } from "../../support/eventually.ts";
import { type RunningProcess, startProcess } from "../../support/process.ts";

type Extension = NonNullable<
  Parameters<Clients["extensions"]["createWasmExtension"]>[0]["wasmExtension"]
>;
type Attachments = NonNullable<
  NonNullable<Parameters<Clients["attachments"]["setAttachments"]>[0]["attachmentSet"]>["extension"]
>;

/** A server; it ends, and its folder is removed, at the end of the `await using` block. */
export interface CatalogProcess extends Clients, AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Holds its module cache, and `catalog.db`. */
  readonly folder: string;
  /** Creates an extension of acme, or replaces it. */
  put(name: string, body: Extension): Promise<void>;
  /** Replaces the attachments of a target, whatever they are, in one commit. */
  attach(target: string, attachments: Attachments): Promise<void>;
  /** Ends it by a signal. Default: SIGKILL. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

/** How to serve. */
export interface CatalogProcessOptions {
  /** More options of `wasmext serve`. `FOLDER` stands for the folder of the server. */
  readonly flags?: readonly string[];
  /** A credential that the clients show. */
  readonly token?: string;
}

/** Starts a server that fetches modules from loopback; resolves when it listens. */
export async function startCatalog({
  flags = [],
  token,
}: CatalogProcessOptions = {}): Promise<CatalogProcess> {
  const folder = await mkdtemp(join(tmpdir(), "wasmext-catalog-"));
  const options = flags.map((flag) => flag.replace("FOLDER", folder));
  const serve = ["serve", "--module-cache", join(folder, "modules"), "--log-level", "warn"];
  serve.push("--allow-module-network", "127.0.0.0/8", ...options);
  let running: RunningProcess | undefined;
  // A worker that ends early takes its processes along.
  const killNow = (): void => void running?.child.kill("SIGKILL");
  process.on("exit", killNow);
  const start = async (port: number): Promise<number> => {
    running = startProcess([...serve, "--port", String(port)]);
    try {
      return Number(/:(\d+)$/.exec(await running.firstLine)?.[1]);
    } catch (error) {
      const { stderr } = await running.ended;
      throw new Error(`the server does not start: ${stderr}`, { cause: error });
    }
  };
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    const { child } = running ?? {};
    running = undefined;
    if (child?.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    }
  };
  const port = await start(0);
  const url = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(url);
  const show: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token ?? ""}`);
    return next(request);
  };
  const interceptors = token === undefined ? [] : [show];
  const clients = createClients(
    createGrpcTransport({ baseUrl: url, sessionManager, interceptors }),
  );
  const { extensions, attachments } = clients;
  return {
    ...clients,
    url,
    port,
    folder,
    async put(name, body) {
      const fqn = `${acme}/extensions/${name}`;
      const present = await unlessAbsent(extensions.getWasmExtension({ fqn }));
      await (present === undefined
        ? extensions.createWasmExtension({ parent: acme, name, wasmExtension: body })
        : extensions.updateWasmExtension({ ...body, fqn, etag: present.etag }));
    },
    async attach(target, extension) {
      const present = await unlessAbsent(attachments.getAttachments({ fqn: target }));
      const etag = present?.attachmentSet?.etag ?? "";
      await attachments.setAttachments({ attachmentSet: { fqn: target, extension, etag } });
    },
    kill,
    async start() {
      await start(port);
      await eventually("an answer of the server", () =>
        fetch(`${url}/readyz`).then(
          ({ ok }) => ok || undefined,
          () => undefined,
        ),
      );
    },
    async [Symbol.asyncDispose]() {
      process.off("exit", killNow);
      sessionManager.abort();
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function unlessAbsent<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (ConnectError.from(error).code === Code.NotFound) {
      return undefined;
    }
    throw error;
  }
}
