import type { KeyValue } from "../../../gen/mvccpb/kv_pb.ts";
import type { RangeResponse } from "../../../gen/etcdserverpb/rpc_pb.ts";
import type { EtcdClient } from "./client.ts";
import type { KeyRange } from "./keys.ts";

const firstPageKeys = 500;
const maxPageKeys = 5_000;
/** A page holds about so many bytes, as far as the pages before tell. */
const pageBytes = 4 * 1024 * 1024;

/** What to read of a range. */
export interface PagesOptions {
  readonly keysOnly?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads a range of keys at a revision, page by page.
 *
 * @param revision - 0 is the latest, as of the first page
 */
export async function* pages(
  client: EtcdClient,
  range: KeyRange,
  revision: bigint,
  { keysOnly = false, signal }: PagesOptions,
): AsyncGenerator<readonly KeyValue[]> {
  let { key } = range;
  let limit = firstPageKeys;
  let at = revision;
  for (;;) {
    const request = { ...range, key, revision: at, limit: BigInt(limit), keysOnly };
    const response: RangeResponse = await client.range(request, signal);
    const { kvs, more, header } = response;
    at = at === 0n ? (header?.revision ?? 0n) : at;
    yield kvs;
    const last = kvs.at(-1);
    if (!more || last === undefined) {
      return;
    }
    key = Buffer.concat([last.key, Buffer.from([0])]);
    const bytes = kvs.reduce((sum, kv) => sum + kv.key.byteLength + kv.value.byteLength, 0);
    limit = Math.max(1, Math.min(maxPageKeys, Math.floor(pageBytes / (bytes / kvs.length))));
  }
}

/** Reads all values of a range at a revision. */
export async function valuesOf(
  client: EtcdClient,
  range: KeyRange,
  revision: bigint,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const values: Uint8Array[] = [];
  for await (const page of pages(client, range, revision, { signal })) {
    values.push(...page.map(({ value }) => value));
  }
  return values;
}
