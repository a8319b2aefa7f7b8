/*
 * How long others wait while something large is done.
 *
 * A cascade: an extension that is attached to 5,000 targets is deleted, while its organization and a
 * tenant are watched. The server is a process of its own, and a thread asks it for a page again and again.
 * `node bench/pauses.ts FOLDER` runs the server of another checkout.
 *
 * A resume: a watch of a tenant goes on from before 100,000 commits that mean nothing to it. Measured in
 * this process, as the longest time for which a timer is late.
 */
import { everything } from "../src/catalog/access/viewer.ts";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { CreateWasmExtensionRequestSchema } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { AttachmentService } from "../gen/wasmext/v1/attachment_service_pb.ts";
import { WatchService } from "../gen/wasmext/v1/watch_service_pb.ts";
import { createExtension } from "../src/catalog/writes/extension-writes.ts";
import { createWatchReader } from "../src/catalog/watch/reader.ts";
import { watch } from "../src/catalog/watch/watch.ts";
import { createMemoryCatalog } from "../src/journal/catalog.ts";
import { print } from "./measure.ts";

const parent = "organizations/acme";
const tenant = (index: number): string => `${parent}/tenants/t${index}`;

/** Asks for a page again and again; a message asks for the longest wait since the last message. */
const prober = `
  const { parentPort, workerData } = require("node:worker_threads");
  let longest = 0;
  parentPort.on("message", () => { parentPort.postMessage(longest); longest = 0; });
  (async () => {
    for (;;) {
      const startedAt = performance.now();
      await (await fetch(workerData)).text();
      longest = Math.max(longest, performance.now() - startedAt);
    }
  })().catch(() => process.exit());
`;

async function cascade(root: string, targets: number): Promise<void> {
  const server = spawn(process.execPath, [resolve(root, "src/main.ts"), "serve", "--port", "0"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(createInterface(server.stdout), "line")) as [string];
  const url = line.split(" ").at(-1) ?? "";
  const sessionManager = new Http2SessionManager(url);
  const transport = createGrpcTransport({ baseUrl: url, sessionManager });
  const extensions = createClient(WasmExtensions, transport);
  const attachments = createClient(AttachmentService, transport);
  const { fqn } = await extensions.createWasmExtension({
    parent,
    name: "a",
    wasmExtension: { url: "oci://x" },
  });
  for (let index = 0; index < targets; index += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, offset) => {
        const target = `${tenant((index + offset) % 10)}/workspaces/w/securitygroups/s${index + offset}`;
        const extension = [{ fqn, config: { threshold: index } }];
        return attachments.setAttachments({ attachmentSet: { fqn: target, extension } });
      }),
    );
  }
  const controller = new AbortController();
  const events: number[] = [];
  const seen = [parent, tenant(1)].map(async (scope) => {
    const startRevision = BigInt(targets + 2);
    const responses = createClient(WatchService, transport).watch(
      { parent: scope, startRevision },
      controller,
    );
    for await (const response of responses) {
      if (!response.bookmark) {
        events.push(response.events.length);
        return;
      }
    }
  });
  const probe = new Worker(prober, { eval: true, workerData: `${url}/healthz` });
  const longest = async (): Promise<number> => {
    probe.postMessage(undefined);
    return (await once(probe, "message"))[0] as number;
  };
  await new Promise((done) => setTimeout(done, 1_000));
  await longest();
  await new Promise((done) => setTimeout(done, 1_000));
  const calm = await longest();
  const startedAt = performance.now();
  await extensions.deleteWasmExtension({ fqn });
  const ms = performance.now() - startedAt;
  await Promise.all(seen);
  const waited = await longest();
  print("a cascade of 5,000: events, to the organization, a tenant", events.join(", "));
  print("a cascade of 5,000: ms until it is answered", ms.toFixed(0));
  print("a cascade of 5,000: ms that others wait at most", waited.toFixed(0));
  print("  the same while nothing happens", calm.toFixed(0));
  await probe.terminate();
  sessionManager.abort();
  server.kill();
}

/** The longest time for which a timer is late while something holds, in ms. */
async function longestPause(isGoingOn: () => boolean): Promise<number> {
  let longest = 0;
  let last = performance.now();
  while (isGoingOn()) {
    await new Promise((next) => setTimeout(next, 0));
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  return longest;
}

async function resume(commits: number): Promise<void> {
  const { reader: store, journal } = createMemoryCatalog({
    history: { maxCommits: 2 * commits, maxWeight: 1e12 },
  });
  for (let index = 0; index < commits; index++) {
    const wasmExtension = { url: "oci://x", allowedIn: [tenant(1)] };
    const request = { parent, name: `e${index}`, wasmExtension };
    await journal.write(createExtension(create(CreateWasmExtensionRequestSchema, request)));
  }
  const reader = createWatchReader(
    store,
    {
      parent: tenant(2),
      startRevision: 1n,
      incarnation: "",
    },
    everything,
  );
  const source = watch(store, reader, { bookmarkIntervalMs: 30_000 });
  const done = (async () => {
    let read = source.read(store.turns.begin());
    for (; read === "more"; read = source.read(store.turns.begin())) {
      await store.turns.next();
    }
    if (read !== "caught-up") {
      throw new Error(`a message of revision ${read.revision}`);
    }
  })();
  const startedAt = performance.now();
  const longest = await longestPause(() => reader.nextRevision <= store.state.revision);
  const ms = performance.now() - startedAt;
  const calm = await longestPause(() => performance.now() < startedAt + 2 * ms);
  print("a resume over 100,000 foreign commits: ms", ms.toFixed(0));
  print("a resume over 100,000 foreign commits: longest pause in ms", longest.toFixed(0));
  print("  the same for as long while nothing happens", calm.toFixed(0));
  await done;
}

await cascade(process.argv[2] ?? ".", 5_000);
await resume(100_000);
process.exit();
