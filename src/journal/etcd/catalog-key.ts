/* The key that describes what is under a prefix: the format of the keys, and the identity of the catalog. */
import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { RangeResponse } from "../../../gen/etcdserverpb/rpc_pb.ts";
import { type EtcdCatalog, EtcdCatalogSchema } from "../../../gen/wasmext/stored/v1/etcd_pb.ts";
import { UnusableStore } from "../unusable-store.ts";
import type { EtcdClient } from "./client.ts";
import type { Keys } from "./keys.ts";
import { isAt, put, transaction } from "./requests.ts";
import { untilAnswered } from "./until-answered.ts";

/** The version of the format of all keys. */
const format = 1;

/** The catalog under a prefix. */
export interface CatalogKey {
  readonly incarnation: string;
  /** The revision of the key: the catalog has nothing before it. */
  readonly since: bigint;
  /** The present revision of etcd. */
  readonly now: bigint;
}

/**
 * Reads the key, or creates it if there is nothing yet.
 *
 * Rejects with an UnusableStore if what is there is not a catalog that this program can use.
 */
export async function openCatalogKey(
  client: EtcdClient,
  keys: Keys,
  signal: AbortSignal,
): Promise<CatalogKey> {
  const found = await readKey(client, keys, signal);
  if (found !== undefined) {
    return found;
  }
  const { kvs } = await client.range({ ...keys.all, limit: 20n, keysOnly: true }, signal);
  const foreign = kvs.find(({ key }) => keys.parse(key) === undefined);
  if (foreign !== undefined) {
    const key = Buffer.from(foreign.key).toString();
    throw new UnusableStore(
      `the prefix ${keys.prefix} in etcd holds keys of another program, such as ${key}; choose another with --store-prefix`,
    );
  }
  // If several servers begin at once, the first one creates the catalog.
  await untilAnswered(client, writing(keys, 0n), signal);
  const created = await readKey(client, keys, signal);
  if (created === undefined) {
    throw new UnusableStore(
      `the key ${keys.prefix}catalog in etcd was removed again as soon as it was created; check who else writes there`,
    );
  }
  return created;
}

/**
 * Gives the catalog a new incarnation, because etcd was restored to an older state; unless another server has.
 *
 * @param incarnation - the present one
 */
export async function renewCatalog(
  client: EtcdClient,
  keys: Keys,
  incarnation: string,
  signal: AbortSignal,
): Promise<void> {
  const found = await readKey(client, keys, signal);
  if (found?.incarnation === incarnation) {
    await untilAnswered(client, writing(keys, found.since), signal);
  }
}

function writing(keys: Keys, since: bigint) {
  const catalog = create(EtcdCatalogSchema, { format, incarnation: randomUUID() });
  return transaction(
    [isAt(keys.catalog, since)],
    [put(keys.catalog, toBinary(EtcdCatalogSchema, catalog))],
  );
}

async function readKey(
  client: EtcdClient,
  keys: Keys,
  signal: AbortSignal,
): Promise<CatalogKey | undefined> {
  const { kvs, header }: RangeResponse = await client.range({ key: keys.catalog }, signal);
  const [kv] = kvs;
  if (kv === undefined) {
    return undefined;
  }
  const { format: found, incarnation } = catalogOf(keys, kv.value);
  if (found > format) {
    throw new UnusableStore(
      `the catalog under ${keys.prefix} in etcd has the format ${found}, and this wasmext knows ${format}; use a newer wasmext`,
    );
  }
  return { incarnation, since: kv.modRevision, now: header?.revision ?? 0n };
}

function catalogOf(keys: Keys, value: Uint8Array): EtcdCatalog {
  try {
    const catalog = fromBinary(EtcdCatalogSchema, value);
    if (catalog.format > 0) {
      return catalog;
    }
  } catch {
    // Reported below.
  }
  throw new UnusableStore(
    `the key ${keys.prefix}catalog in etcd is of another program; choose another prefix with --store-prefix`,
  );
}
