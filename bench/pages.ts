/*
 * What one organization can do to the page tokens of another: it writes, and reads first pages, as fast
 * as it can. The objects are large, so that the states that its own tokens refer to are, too.
 *
 * Usage: node bench/pages.ts [writes, by default 1,000]
 * WASMEXT_ROOT names another checkout, which is measured first.
 */
import { createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { WasmExtensions } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { checkouts } from "./checkouts.ts";
import { print } from "./measure.ts";
import { startServerProcess } from "./server-process.ts";

const attempts = Number(process.argv[2] ?? 1_000);
const [victim, attacker] = ["organizations/victim", "organizations/attacker"];
const description = "x".repeat(150_000);

for (const { root, label } of checkouts()) {
  const server = await startServerProcess(root);
  const client = createClient(WasmExtensions, createGrpcTransport({ baseUrl: server.url }));
  for (const parent of [victim, attacker]) {
    await create(client, parent, "a");
    await create(client, parent, "b");
  }
  const pageToken = await firstPage(client, victim);
  const before = server.residentMegabytes();
  const startedAt = performance.now();
  const tokens: string[] = [];
  for (let index = 1; index <= attempts; index++) {
    await update(client, `${attacker}/extensions/a`, index);
    tokens.push(await firstPage(client, attacker));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  print(`${label}writes and pages`, `${attempts}, ${(attempts / seconds).toFixed(0)} a second`);
  print(`${label}MB more than before`, (server.residentMegabytes() - before).toFixed(0));
  // Only now: a token that is used is kept for longer.
  const isKept = await isValid(client, victim, pageToken);
  print(`${label}the other's token`, isKept ? "is valid" : "has expired");
  let valid = 0;
  for (const token of tokens) {
    valid += (await isValid(client, attacker, token)) ? 1 : 0;
  }
  print(`${label}its own tokens that are valid`, `${valid} of ${tokens.length}`);
  await server.stop();
}

async function create(
  client: Client<typeof WasmExtensions>,
  parent: string,
  name: string,
): Promise<void> {
  await client.createWasmExtension({ parent, name, wasmExtension: { url: "oci://x" } });
}

async function update(
  client: Client<typeof WasmExtensions>,
  fqn: string,
  priority: number,
): Promise<void> {
  const { etag } = await client.getWasmExtension({ fqn });
  await client.updateWasmExtension({ fqn, etag, url: "oci://x", priority, description });
}

async function firstPage(client: Client<typeof WasmExtensions>, parent: string): Promise<string> {
  const { nextPageToken } = await client.listWasmExtension({ parent, pageSize: 1 });
  return nextPageToken;
}

async function isValid(
  client: Client<typeof WasmExtensions>,
  parent: string,
  pageToken: string,
): Promise<boolean> {
  return client.listWasmExtension({ parent, pageSize: 1, pageToken }).then(
    () => true,
    () => false,
  );
}
