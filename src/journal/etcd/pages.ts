import { ConnectError } from "@connectrpc/connect";
import type { KeyValue } from "../../../gen/mvccpb/kv_pb.ts";
import type { RangeResponse } from "../../../gen/etcdserverpb/rpc_pb.ts";
import type { EtcdClient } from "./client.ts";
import type { KeyRange } from "./keys.ts";
import { isTooLarge } from "./problems.ts";

const firstPageKeys = 100;
/** Etcd 3.4 looks at all keys of the rest of the range for each page, so many small pages take long. */
const maxPageKeys = 5_000;
/** A page holds about so many bytes, as far as the page before tells. */
const pageBytes = 4 * 1024 * 1024;

/** What to read of a range. */
export interface PagesOptions {
  readonly keysOnly?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads a range of keys at a revision, page by page. A page that is too large is read in smaller ones.
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
    let response: RangeResponse;
    try {
      response = await client.range(request, signal);
    } catch (error) {
      if (limit === 1 || !isTooLarge(ConnectError.from(error))) {
        throw error;
      }
      limit = Math.ceil(limit / 8);
      continue;
    }
    const { kvs, more, header } = response;
    at = at === 0n ? (header?.revision ?? 0n) : at;
    yield kvs;
    const last = kvs.at(-1);
    if (!more || last === undefined) {
      return;
    }
    key = Buffer.concat([last.key, Buffer.from([0])]);
    const bytes = kvs.reduce((sum, kv) => sum + kv.key.byteLength + kv.value.byteLength, 0);
    const fitting = Math.floor(pageBytes / (bytes / kvs.length));
    limit = Math.max(1, Math.min(maxPageKeys, limit * 2, fitting));
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
