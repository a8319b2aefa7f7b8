/* Measures the catalog of one checkout, a row at a time, as the process that starts it asks; see catalog.ts. */
import { create } from "@bufbuild/protobuf";
import type { WasmExtension_PluginPhase as Phase } from "../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { CreateWasmExtensionRequestSchema } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { type Catalog, loadCatalog } from "./checkout.ts";
import { median, megabytes, time } from "./measure.ts";

const [, , root = ".", counts = "100000"] = process.argv;
const large = Number(counts);
const tenantShare = 1_000;
const organization = "organizations/acme";
const tenant = `${organization}/tenants/red`;

/** Fills a catalog: `tenantShare` extensions for the tenant, the others for tenants of their own. */
async function fill(catalog: Catalog, count: number): Promise<void> {
  const every = count / tenantShare;
  for (let index = 0; index < count; index++) {
    const owner = index % every === 0 ? tenant : `${organization}/tenants/t${index % 100}`;
    const wasmExtension = {
      url: `oci://ghcr.io/acme/e${index}:1.0`,
      priority: (index * 7919) % 2000,
      phase: (index % 4) as Phase,
      allowedIn: [owner],
      config: { threshold: index },
    };
    const request = { parent: organization, name: `e${index}`, wasmExtension };
    await catalog.create(create(CreateWasmExtensionRequestSchema, request));
  }
}

const newCatalog = await loadCatalog(root);
const [big, small] = [newCatalog(), newCatalog()];
const heapBefore = megabytes();
await fill(big, large);
const heapBytes = ((megabytes() - heapBefore) * 2 ** 20) / large;
await fill(small, tenantShare);

const fqn = `${organization}/extensions/e0`;
const getThousand = (catalog: Catalog) => (): void => {
  for (let run = 0; run < 1_000; run++) {
    catalog.get(fqn);
  }
};

/** The figures that can be asked for. */
const rows: Readonly<Record<string, () => number | Promise<number>>> = {
  heapBytes: () => heapBytes,
  async creates() {
    const count = 20_000;
    const startedAt = performance.now();
    await fill(newCatalog(), count);
    return count / ((performance.now() - startedAt) / 1000);
  },
  list: () => median(time(() => big.list(tenant, 0), 50)),
  listSmall: () => median(time(() => small.list(tenant, 0), 50)),
  answer: () => median(time(() => big.answerList(tenant, 0), 50)),
  page: () => median(time(() => big.list(tenant, 50), 200)),
  pageSmall: () => median(time(() => small.list(tenant, 50), 200)),
  answerPage: () => median(time(() => big.answerList(tenant, 50), 200)),
  get: () => median(time(getThousand(big), 50)) / 1_000,
  getSmall: () => median(time(getThousand(small), 50)) / 1_000,
};

process.on("message", (row: string) => {
  void (async () => process.send?.(await rows[row]?.()))();
});
process.send?.("ready");
