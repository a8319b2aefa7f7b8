/*
 * What is encoded for a commit that 100 watchers of ten tenants see: once for each different message, against
 * what they are sent.
 */
import { createClient } from "@connectrpc/connect";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { anyone } from "../src/catalog/access/principal.ts";
import { viewerOf } from "../src/catalog/access/viewer.ts";
import { createWatchReader } from "../src/catalog/watch/reader.ts";
import { createInMemoryTransport } from "../src/in-memory.ts";
import { createMemoryCatalog } from "../src/journal/catalog.ts";
import { print } from "./measure.ts";

const parent = "organizations/acme";
const fqn = `${parent}/extensions/a`;
const tenants = Array.from({ length: 10 }, (_, index) => `${parent}/tenants/t${index}`);
const wasmExtension = { url: "oci://x/a:1", description: "x".repeat(4 * 1024) };

const catalog = createMemoryCatalog();
const { reader } = catalog;
const client = createClient(WasmExtensions, createInMemoryTransport({ catalog }));
let { etag } = await client.createWasmExtension({ parent, name: "a", wasmExtension });

/** Sends one commit to ten watchers of each tenant, and counts the messages. */
async function measure(label: string, allowedIn: readonly string[]): Promise<void> {
  const startRevision = reader.state.revision + 1n;
  const watchers = tenants.flatMap((tenant) =>
    Array.from({ length: 10 }, () => {
      const start = { parent: tenant, startRevision, incarnation: "" };
      return createWatchReader(reader, start, viewerOf(anyone, parent));
    }),
  );
  const changed = { ...wasmExtension, fqn, etag, allowedIn: [...allowedIn], displayName: label };
  ({ etag } = await client.updateWasmExtension(changed));
  const encodings = new Set<Uint8Array>();
  let sent = 0;
  for (const watcher of watchers) {
    const message = watcher.read(() => false);
    if (typeof message !== "string") {
      encodings.add(message.bytes);
      sent += message.bytes.byteLength;
    }
  }
  const encoded = [...encodings].reduce((sum, { byteLength }) => sum + byteLength, 0);
  print(`${label}: different messages encoded`, String(encodings.size));
  print(`${label}: bytes encoded, of bytes sent`, `${encoded} of ${sent}`);
}

await measure("a change that all ten see", []);
await measure("one that five lose", tenants.slice(0, 5));
