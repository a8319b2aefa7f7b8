/* Rows of time: how long a start takes, and how long a few calls take while another client lists everything. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { thisCheckout } from "../checkouts.ts";
import { median } from "../measure.ts";
import { startServerProcess } from "../server-process.ts";
import { getCall, listCall } from "./calls.ts";
import { h2load } from "./h2load.ts";
import type { Contender, Measured, Row } from "./row.ts";

/** Starts in a round. */
const starts = 5;

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function startsOf(name: string, once: () => Promise<number>): Contender {
  const measure = async (): Promise<Measured> => {
    const measured: number[] = [];
    for (let index = 0; index < starts; index++) {
      measured.push(await once());
    }
    return { figure: median(measured) };
  };
  return { name, measure, stop: () => Promise.resolve() };
}

async function msOfServer(): Promise<number> {
  const startedAt = performance.now();
  const server = await startServerProcess(thisCheckout, [], ["--log-level", "info"], "ignore");
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
  open: () =>
    Promise.resolve([
      startsOf("node -e 0", () =>
        msOf(() => once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit")),
      ),
      startsOf("wasmext", msOfServer),
    ]),
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
    const { process: server } = await servers.startWasmext();
    const { port } = server;
    const p99 = async (): Promise<Measured> => {
      const { latencies } = await h2load({ port, call: getCall, seconds, ...paced });
      return { figure: latencies[Math.floor(latencies.length * 0.99)] ?? NaN };
    };
    return [
      { name: "wasmext, alone", measure: p99, stop: () => server.stop() },
      {
        name: "wasmext, with lists",
        measure: async () => {
          const lists = { port, call: listCall, connections: 1, streams: 1, seconds: seconds + 1 };
          const [measured] = await Promise.all([p99(), h2load(lists)]);
          return measured;
        },
        stop: () => Promise.resolve(),
      },
    ];
  },
};
