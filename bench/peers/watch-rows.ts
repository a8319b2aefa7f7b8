/* Rows of watches: what reaches their readers, and what each of them takes. */
import { watchCall } from "./calls.ts";
import { makeCommits } from "./commits.ts";
import { createInspected, type Inspected } from "./inspector.ts";
import { openReaders } from "./readers.ts";
import { type Contender, contenders, type Row } from "./row.ts";
import type { LoadedServer, Servers } from "./servers.ts";

const readers = { streams: 500, connections: 10 };

/** Commits in a round, each of which is delivered to each reader. */
const commits = 500;

export const watch: Row = {
  id: "watch",
  title: `watch deliveries to ${readers.streams} readers on ${readers.connections} connections`,
  unit: "messages a second",
  reference: "raw node:http2",
  comparedBy: "ratio",
  aim: ">= 0.3",
  open: (servers) =>
    contenders(
      servers,
      { peers: ["raw node:http2"], kinds: ["default"] },
      async (server, round) => {
        const { port } = server.process;
        const opened = await openReaders(port, watchCall(BigInt(server.commits + 1)), readers);
        // Each reader is there when it has the first message.
        await makeCommits(server, 1, `r${round}-first-`);
        await opened.received(readers.streams);
        const startedAt = performance.now();
        const all = opened.received(readers.streams * (commits + 1));
        await Promise.all([all, makeCommits(server, commits, `r${round}-`)]);
        const seconds = (performance.now() - startedAt) / 1000;
        opened.close();
        const served = readers.streams * (commits + 1);
        return { figure: (readers.streams * commits) / seconds, served };
      },
    ),
};

const idle = { streams: 2_000, connections: 20 };
const warmUp = { streams: 200, connections: 2 };

/** Resident memory that each open watch takes in a server, in kB. */
async function memoryOfWatch(server: LoadedServer, inspected: Inspected): Promise<number> {
  const open = async ({ streams, connections }: typeof idle, prefix: string) => {
    const call = watchCall(BigInt(server.commits + 1));
    const opened = await openReaders(server.process.port, call, { streams, connections });
    await makeCommits(server, 1, prefix);
    await opened.received(streams);
    await inspected.collectGarbage();
    return opened;
  };
  const first = await open(warmUp, "warm-up-");
  const before = server.process.residentMegabytes();
  const others = await open(idle, "idle-");
  const kilobytes = ((server.process.residentMegabytes() - before) * 1024) / idle.streams;
  first.close();
  others.close();
  return kilobytes;
}

/** All watches are of one caller. */
const noLimit = { WASMEXT_MAX_WATCHES: String(2 * idle.streams) };

export const memory: Row = {
  id: "memory",
  title: `resident memory a watch, ${idle.streams} on ${idle.connections} connections`,
  unit: "kB",
  reference: "raw node:http2",
  comparedBy: "difference",
  aim: "<= 15",
  open(servers: Servers) {
    const contender = (
      name: string,
      start: (environment: Inspected["environment"]) => Promise<LoadedServer>,
    ): Contender => ({
      name,
      async measure() {
        const inspected = await createInspected();
        const server = await start(inspected.environment);
        try {
          return { figure: await memoryOfWatch(server, inspected) };
        } finally {
          await server.process.stop();
        }
      },
    });
    return Promise.resolve([
      contender("raw node:http2", (environment) =>
        servers.startPeer("raw node:http2", environment),
      ),
      contender("wasmext", (environment) =>
        servers.startWasmext("default", { ...environment, ...noLimit }),
      ),
    ]);
  },
};
