/* Rows of time: how long a start takes, and how long a few calls take while another client lists everything. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { thisCheckout } from "../checkouts.ts";
import { median } from "../measure.ts";
import { startProcess } from "../server-process.ts";
import { getCall, listCall } from "./calls.ts";
import { h2load } from "./h2load.ts";
import type { Contender, Measured, Row } from "./row.ts";

/** Starts in a round. */
const starts = 5;

/** A contender whose figure is the middle of several times that it takes. */
function timed(name: string, once: () => Promise<number>): Contender {
  const measure = async (): Promise<Measured> => {
    const measured: number[] = [];
    for (let index = 0; index < starts; index++) {
      measured.push(await once());
    }
    return { figure: median(measured) };
  };
  return { name, measure };
}

async function msOfNothing(): Promise<number> {
  const startedAt = performance.now();
  await once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit");
  return performance.now() - startedAt;
}

async function msToReady(environment: Readonly<Record<string, string>>): Promise<number> {
  const serve = [`${thisCheckout}/bin/wasmext.js`, "serve", "--port", "0"];
  const startedAt = performance.now();
  const server = await startProcess(serve, "ignore", environment);
  const ms = performance.now() - startedAt;
  await server.stop();
  return ms;
}

export const start: Row = {
  id: "start",
  title: `start to ready, empty catalog (the middle of ${starts})`,
  unit: "ms",
  reference: "node -e 0",
  comparedBy: "ratio",
  aim: "<= 8",
  open({ folder }) {
    // The round that warms up keeps the modules for the others.
    const kept = { XDG_CACHE_HOME: folder };
    const nothingKept = { NODE_DISABLE_COMPILE_CACHE: "1" };
    return Promise.resolve([
      timed("node -e 0", msOfNothing),
      timed("wasmext", () => msToReady(kept)),
      timed("wasmext, for the first time", () => msToReady(nothingKept)),
    ]);
  },
};

/** Few enough that no call waits for another one when they are alone: 4 clients, each with 250 a second. */
const paced = { connections: 4, streams: 1, rate: 250 };

export const tail: Row = {
  id: "tail",
  title: "p99 of 1,000 Gets a second, alone and while another client lists everything in a loop",
  unit: "ms",
  reference: "wasmext, alone",
  comparedBy: "ratio",
  aim: "<= 3",
  needsH2load: true,
  async open(servers, { seconds }) {
    const { port } = (await servers.startWasmext()).process;
    const p99 = async (): Promise<Measured> => {
      const { latencies } = await h2load({ port, call: getCall, seconds, ...paced });
      return { figure: latencies[Math.floor(latencies.length * 0.99)] ?? NaN };
    };
    return [
      { name: "wasmext, alone", measure: p99 },
      {
        name: "wasmext, with lists",
        measure: async () => {
          const lists = { port, call: listCall, connections: 1, streams: 1, seconds: seconds + 1 };
          const [measured] = await Promise.all([p99(), h2load(lists)]);
          return measured;
        },
      },
    ];
  },
};
