/*
 * What reads cost when the catalog grows, and what an extension costs in memory.
 *
 * Each figure is a ratio to the same work in a small catalog in the same run: 1 means that it costs
 * what it returns, whatever else is stored.
 */
import { create } from "@bufbuild/protobuf";
import type { WasmExtension_PluginPhase as Phase } from "../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { CreateWasmExtensionRequestSchema } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { getExtension } from "../src/catalog/reads/extension-reads.ts";
import { createExtension } from "../src/catalog/writes/extension-writes.ts";
import { extensionListing } from "../src/catalog/reads/listings.ts";
import { listPage } from "../src/catalog/reads/pages.ts";
import type { Reader } from "../src/catalog/store.ts";
import { createMemoryCatalog } from "../src/journal/catalog.ts";
import { median, megabytes, print, time } from "./measure.ts";

const organization = "organizations/acme";
const tenant = `${organization}/tenants/red`;
const tenantShare = 1_000;
const large = 100_000;

/** Fills a store: `tenantShare` extensions for the tenant, the others for tenants of their own. */
async function filled(count: number): Promise<Reader> {
  const { reader, journal } = createMemoryCatalog();
  const every = count / tenantShare;
  for (let index = 0; index < count; index++) {
    const owner = index % every === 0 ? tenant : `${organization}/tenants/t${index % 100}`;
    const request = create(CreateWasmExtensionRequestSchema, {
      parent: organization,
      name: `e${index}`,
      wasmExtension: {
        url: `oci://ghcr.io/acme/e${index}:1.0`,
        priority: (index * 7919) % 2000,
        phase: (index % 4) as Phase,
        allowedIn: [owner],
        config: { threshold: index },
      },
    });
    await journal.write(createExtension(request));
  }
  return reader;
}

const heapBefore = megabytes();
const startedAt = performance.now();
const big = await filled(large);
const createMs = performance.now() - startedAt;
const heapAfter = megabytes();
const small = await filled(tenantShare);

const list = (store: Reader, pageSize: number) => () =>
  listPage(store, extensionListing, { parent: tenant, pageSize, pageToken: "" }, "anonymous").items
    .length;
const get = (store: Reader) => () => getExtension(store.state, `${organization}/extensions/e0`);

print("extensions in the large catalog", large);
print("extensions that the tenant may use in each", list(big, 0)());
print("creates a second", Math.round(large / (createMs / 1000)));
print("bytes of heap an extension", Math.round(((heapAfter - heapBefore) * 2 ** 20) / large));
for (const [name, of] of [
  ["list of the tenant, all 1,000", (store: Reader) => list(store, 0)],
  ["list of the tenant, a page of 50", (store: Reader) => list(store, 50)],
  ["get", get],
] as const) {
  const [bigMs, smallMs] = [of(big), of(small)].map((work) => median(time(work, 200))) as [
    number,
    number,
  ];
  print(`${name}: ms in the large catalog`, bigMs.toFixed(4));
  print(`${name}: large to small`, (bigMs / smallMs).toFixed(2));
}
