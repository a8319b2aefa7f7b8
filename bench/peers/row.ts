import type { LoadedServer, Kind, PeerName, Servers } from "./servers.ts";

/** How long and how often is measured. */
export interface Settings {
  readonly rounds: number;
  /** How long a server is loaded in each round, in s. */
  readonly seconds: number;
}

/** What is measured of a contender once. */
export interface Measured {
  readonly figure: number;
  /** How long the server's processes have computed for each call or message, in µs. */
  readonly cpuMicroseconds?: number;
}

/** One of those that a row compares. */
export interface Contender {
  readonly name: string;
  /** Measures once; `round` is 0 for what only warms up. */
  measure(round: number): Promise<Measured>;
}

/** A row of what is measured. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** The contender that the others are compared with. */
  readonly reference: string;
  readonly comparedBy: "ratio" | "difference";
  /** What the comparison should come to, in words. */
  readonly aim: string;
  readonly needsH2load?: boolean;
  /** Starts what is compared. */
  open(servers: Servers, settings: Settings): Promise<readonly Contender[]>;
}

/** Loads a server; returns its figure, and the number of calls or messages that it has served meanwhile. */
export type Load = (
  server: LoadedServer,
  round: number,
) => Promise<{ figure: number; served: number }>;

const wasmextNames: Readonly<Record<Kind, string>> = {
  default: "wasmext",
  "log off": "wasmext, log off",
  jwt: "wasmext, --auth jwt",
};

/** Starts peers and wasmext, to measure all of them in the same way. */
export async function contenders(
  servers: Servers,
  { peers, kinds }: { peers: readonly PeerName[]; kinds: readonly Kind[] },
  load: Load,
): Promise<readonly Contender[]> {
  const started: Contender[] = [];
  const add = (name: string, server: LoadedServer): void => {
    started.push({
      name,
      async measure(round) {
        const before = server.process.cpuSeconds();
        const { figure, served } = await load(server, round);
        const cpuMicroseconds = ((server.process.cpuSeconds() - before) / served) * 1e6;
        return { figure, cpuMicroseconds };
      },
    });
  };
  for (const peer of peers) {
    add(peer, await servers.startPeer(peer));
  }
  for (const kind of kinds) {
    add(wasmextNames[kind], await servers.startWasmext(kind));
  }
  return started;
}
