/* Rows of unary calls: how many are answered in a second. */
import { type Call, getCall, http1Gets, listCall } from "./calls.ts";
import { loadCreates } from "./create-load.ts";
import { h2load } from "./h2load.ts";
import { contenders, type Row } from "./row.ts";
import type { Kind, PeerName } from "./servers.ts";

/** Creations in a round. */
const creates = 20_000;

const shared = { unit: "calls a second", comparedBy: "ratio" } as const;

const grpcLoad = { connections: 4, streams: 16 };

/** HTTP/1.1 has one call at a time on a connection. */
const http1Load = { connections: 64, streams: 1, http1: true };

const kinds: readonly Kind[] = ["default", "log off", "jwt"];

function loadRow(
  row: Omit<Row, "unit" | "comparedBy" | "open">,
  call: Call,
  peers: readonly PeerName[],
  load: typeof grpcLoad,
): Row {
  return {
    ...shared,
    ...row,
    needsH2load: true,
    open: (servers, { seconds }) =>
      contenders(servers, { peers, kinds }, async ({ process: { port }, headers }) => {
        const withHeaders = { ...call, headers: { ...call.headers, ...headers } };
        const loaded = await h2load({ port, call: withHeaders, seconds, ...load });
        return { figure: loaded.callsPerSecond, served: loaded.calls };
      }),
  };
}

export const get = loadRow(
  {
    id: "get",
    title: "unary gRPC Get (h2load -c 4 -m 16)",
    reference: "raw node:http2",
    aim: ">= 0.6, better 0.75; 0.9 with the log off",
  },
  getCall,
  ["raw node:http2", "connect-node", "grpc-js"],
  grpcLoad,
);

export const list = loadRow(
  {
    id: "list",
    title: "gRPC List of 1,000 (h2load -c 4 -m 16)",
    reference: "grpc-js",
    aim: ">= 5",
  },
  listCall,
  ["grpc-js", "connect-node", "raw node:http2"],
  grpcLoad,
);

export const create: Row = {
  ...shared,
  id: "create",
  title: "Create over gRPC, memory store, each of another name (4 connections, 16 calls on each)",
  reference: "grpc-js",
  aim: ">= 0.5",
  open: (servers) =>
    contenders(
      servers,
      { peers: ["grpc-js", "connect-node", "raw node:http2"], kinds },
      async ({ process: { port }, headers }, round) => {
        const load = { prefix: `r${round}-`, count: creates, headers };
        return { figure: await loadCreates(port, load), served: creates };
      },
    ),
};

export const http1: readonly Row[] = Object.entries(http1Gets).map(([id, call]) =>
  loadRow(
    {
      id,
      title: `unary Get over HTTP/1.1, ${call.headers["content-type"]} (h2load --h1 -c 64)`,
      reference: "raw node:http",
      aim: ">= 0.5",
    },
    call,
    ["raw node:http", "connect-node, HTTP/1.1"],
    http1Load,
  ),
);
