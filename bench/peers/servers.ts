/* Starts wasmext and its peers, each in a process of its own. */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { WatchResponseSchema, WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { thisCheckout } from "../checkouts.ts";
import { type ServerProcess, startProcess } from "../server-process.ts";
import { formatAnswers, recordGrpc, recordHttp1 } from "./answers.ts";
import {
  createCall,
  enveloped,
  extensionCount,
  extensionOf,
  getCall,
  http1Gets,
  listCall,
  organization,
} from "./calls.ts";
import { createCredentials } from "./keys.ts";

/** A server under load. */
export interface LoadedServer {
  readonly process: ServerProcess;
  /** Headers that calls need, such as a token. */
  readonly headers: Record<string, string>;
  /** Commits that it has made; undefined for a peer. */
  commits: number;
}

/** How wasmext is started. */
export type Kind = "default" | "log off" | "jwt";

/** The peers: each is a program of this folder, with its arguments. */
const peers = {
  "raw node:http2": ["raw-http2.ts"],
  "raw node:http": ["raw-http1.ts"],
  "connect-node": ["connect-node.ts", "2"],
  "connect-node, HTTP/1.1": ["connect-node.ts", "1"],
  "grpc-js": ["grpc-js.ts"],
} as const;

/** The name of a peer. */
export type PeerName = keyof typeof peers;

/** Variables of a process. */
type Environment = Readonly<Record<string, string>>;

/** Starts servers. */
export interface Servers {
  /** A folder for files, which is deleted at the end. */
  readonly folder: string;
  startWasmext(kind?: Kind, environment?: Environment): Promise<LoadedServer>;
  startPeer(name: PeerName, environment?: Environment): Promise<LoadedServer>;
  /** Stops all that run. */
  stop(): Promise<void>;
}

/** Records what wasmext answers, so that the peers can answer the same. */
export async function openServers(folder: string): Promise<Servers> {
  const { options: jwtOptions, token } = await createCredentials(
    join(folder, "keys.json"),
    organization,
  );
  const options: Readonly<Record<Kind, readonly string[]>> = {
    default: [],
    "log off": ["--log-level", "silent"],
    jwt: jwtOptions,
  };
  let logs = 0;
  const running: ServerProcess[] = [];
  const start = async (args: readonly string[], environment: Environment) => {
    const log = openSync(join(folder, `${logs++}.log`), "w");
    const server = await startProcess(args, log, environment);
    closeSync(log);
    running.push(server);
    return server;
  };
  const startWasmext = async (
    kind: Kind = "default",
    environment: Environment = {},
  ): Promise<LoadedServer> => {
    const main = `${thisCheckout}/src/main.ts`;
    const serve = [main, "serve", "--port", "0", ...options[kind]];
    const server = await start(serve, environment);
    const headers: Record<string, string> =
      kind === "jwt" ? { authorization: `Bearer ${token}` } : {};
    await fill(server.url, headers);
    return { process: server, headers, commits: extensionCount };
  };
  const answers = join(folder, "answers.json");
  const recorded = await startWasmext();
  writeFileSync(answers, await record(recorded));
  await recorded.process.stop();
  return {
    folder,
    async stop() {
      await Promise.all(running.splice(0).map((server) => server.stop()));
    },
    startWasmext,
    async startPeer(name, environment = {}) {
      const [program, ...more] = peers[name];
      const path = new URL(program, import.meta.url).pathname;
      const server = await start([path, answers, ...more], environment);
      return { process: server, headers: {}, commits: 0 };
    },
  };
}

/** Creates the extensions that a server is loaded with. */
async function fill(url: string, headers: Record<string, string>): Promise<void> {
  const sessionManager = new Http2SessionManager(url);
  const transport = createGrpcTransport({ baseUrl: url, sessionManager });
  const client: Client<typeof WasmExtensions> = createClient(WasmExtensions, transport);
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < extensionCount) {
      const index = next++;
      const wasmExtension = extensionOf(index);
      const request = { parent: organization, name: `e${index}`, wasmExtension };
      await client.createWasmExtension(request, { headers });
    }
  };
  await Promise.all(Array.from({ length: 32 }, writer));
  sessionManager.abort();
}

async function record({ process: { port, url }, commits }: LoadedServer): Promise<string> {
  const grpc = {
    [getCall.path]: await recordGrpc(port, getCall),
    [listCall.path]: await recordGrpc(port, listCall),
  };
  const create = createCall("recorded");
  grpc[create.path] = await recordGrpc(port, create);
  const http1: Record<string, Awaited<ReturnType<typeof recordHttp1>>> = {};
  for (const call of Object.values(http1Gets)) {
    http1[call.headers["content-type"] ?? ""] = await recordHttp1(port, call);
  }
  return formatAnswers({ grpc, http1, watch: await recordWatch(url, BigInt(commits + 1)) });
}

/** A message of a watch, which tells of one creation. */
async function recordWatch(url: string, startRevision: bigint): Promise<Buffer> {
  const client = createClient(WatchService, createGrpcTransport({ baseUrl: url }));
  for await (const message of client.watch({ parent: organization, startRevision })) {
    return enveloped(toBinary(WatchResponseSchema, message));
  }
  throw new Error("the watch has ended without a message");
}
