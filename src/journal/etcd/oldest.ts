import type { EtcdClient } from "./client.ts";
import type { Keys } from "./keys.ts";
import { Outdated } from "./outdated.ts";

/** The oldest revision that etcd can read, if one that was asked for has been compacted. */
export async function oldestRevision(
  client: EtcdClient,
  keys: Keys,
  compacted: bigint,
  signal: AbortSignal,
): Promise<bigint> {
  try {
    // Only a watch reports the number.
    return await client.watch(
      { key: keys.catalog, startRevision: compacted },
      (response) =>
        response.canceled
          ? Promise.reject(new Outdated("compacted", response.compactRevision))
          : Promise.resolve(),
      signal,
    );
  } catch (error) {
    if (error instanceof Outdated) {
      return error.oldest;
    }
    throw error;
  }
}
