/*
 * What it takes until a write on one server is seen by a watcher on another, to a put and a watch of etcd
 * itself; and the time that a server takes to start with a full catalog. Needs Debian's etcd-server.
 *
 * `node bench/etcd.ts COUNT` fills the catalog with another number of extensions than 100,000.
 */
import { argv } from "node:process";
import { create } from "@bufbuild/protobuf";
import { CreateWasmExtensionRequestSchema } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { createExtension } from "../src/catalog/writes/extension-writes.ts";
import { composed } from "../src/catalog/writes/plan.ts";
import { openCatalog } from "../src/journal/catalog.ts";
import { createEtcdClient } from "../src/journal/etcd/client.ts";
import { createEtcdJournal } from "../src/journal/etcd/journal.ts";
import { put, transaction } from "../src/journal/etcd/requests.ts";
import { startEtcd } from "../test/etcd/support/etcd.ts";
import { median, print } from "./measure.ts";

const count = Number(argv[2] ?? 100_000);
const rounds = 500;
const parent = "organizations/acme";

const creation = (index: number) =>
  createExtension(
    create(CreateWasmExtensionRequestSchema, {
      parent,
      name: `e${index}`,
      wasmExtension: {
        url: `oci://ghcr.io/acme/e${index}:1.0`,
        priority: (index * 7919) % 2000,
        allowedIn: [`${parent}/tenants/t${index % 100}`],
        config: { threshold: index },
      },
    }),
  );

await using etcd = await startEtcd();
const open = () => openCatalog(createEtcdJournal({ endpoints: etcd.urls }));

/** The ms from a write on one server until another one notifies its watchers, each on its own. */
async function throughServers(): Promise<number[]> {
  const [one, other] = [await open(), await open()];
  const times: number[] = [];
  for (let index = 0; index < rounds; index++) {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const end = other.reader.commitNotifier.subscribe(parent, () => {
      resolve(undefined);
    });
    const startedAt = performance.now();
    await Promise.all([one.journal.write(creation(index)), promise]);
    times.push(performance.now() - startedAt);
    end();
  }
  await Promise.all([one.journal.close(), other.journal.close()]);
  return times;
}

/** The same with a key of etcd: one client puts it, another one watches it. */
async function throughEtcd(): Promise<number[]> {
  const [one, other] = [etcd, etcd].map(({ urls }) => createEtcdClient({ endpoints: urls }));
  if (one === undefined || other === undefined) {
    throw new TypeError("two clients");
  }
  const ending = new AbortController();
  const key = Buffer.from("bare");
  const value = Buffer.alloc(400);
  let seen = Promise.withResolvers<undefined>();
  const created = seen.promise;
  const watching = other.watch(
    { key },
    () => {
      seen.resolve(undefined);
      return Promise.resolve();
    },
    ending.signal,
  );
  watching.catch(() => undefined);
  await created;
  const times: number[] = [];
  for (let index = 0; index < rounds; index++) {
    seen = Promise.withResolvers();
    const startedAt = performance.now();
    const request = transaction([], [put(key, value)]);
    await Promise.all([one.tryTxn(request, ending.signal), seen.promise]);
    times.push(performance.now() - startedAt);
  }
  ending.abort();
  one.close();
  other.close();
  return times;
}

const [bareBefore, servers, bareAfter] = [
  await throughEtcd(),
  await throughServers(),
  await throughEtcd(),
];
const bare = median([...bareBefore, ...bareAfter]);
print("a put seen by a watch of etcd, median ms", bare.toFixed(2));
print("a write seen on another server, median ms", median(servers).toFixed(2));
print("  ratio to etcd itself", (median(servers) / bare).toFixed(2));

const filling = await open();
for (let from = rounds; from < count; from += 90) {
  const size = Math.min(90, count - from);
  const plans = Array.from({ length: size }, (_, index) => creation(from + index));
  await filling.journal.write(composed(plans));
}
await filling.journal.close();
const startedAt = performance.now();
const full = await open();
print(`start with ${count} extensions, ms`, Math.round(performance.now() - startedAt));
print("  extensions", full.reader.state.organizations.get(parent)?.extensions.size ?? 0);
await full.journal.close();
await etcd.admin.compact();
const compactedAt = performance.now();
const compacted = await open();
print("  after compaction, ms", Math.round(performance.now() - compactedAt));
await compacted.journal.close();
