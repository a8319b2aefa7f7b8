/*
 * How long others wait while the server refuses a request that is made to be expensive: the longest
 * wait of a page that does nothing, as a ratio to the longest while a small request is answered.
 */
import { pino } from "pino";
import { createServer } from "../src/server.ts";
import { floods, send } from "../test/support/floods.ts";
import { extension } from "../test/support/wire.ts";
import { print } from "./measure.ts";

const server = createServer({
  host: "127.0.0.1",
  port: 0,
  allowedOrigins: [],
  maxMessageBytes: 4 * 1024 * 1024,
  logger: pino({ level: "silent" }),
});
const { port } = await server.listen();

/** The longest wait for a page, in ms, while some work goes on. */
async function othersWait(work: () => Promise<unknown>): Promise<number> {
  const state = { isOver: false };
  const done = work().finally(() => (state.isOver = true));
  let longest = 0;
  do {
    const startedAt = performance.now();
    await (await fetch(`http://127.0.0.1:${port}/healthz`)).text();
    longest = Math.max(longest, performance.now() - startedAt);
  } while (!state.isOver);
  await done;
  return longest;
}

const small = extension();
await othersWait(() => send(port, small));
const calm = await othersWait(() => send(port, small));
for (const [what, flood] of Object.entries(floods)) {
  const wasmExtension = flood();
  const waited = await othersWait(() => send(port, wasmExtension));
  print(`${what}: ms that others wait`, waited.toFixed(0));
  print(`${what}: ratio to a small request`, (waited / calm).toFixed(0));
}
await server.close();
