/*
 * What tests do to etcd from beside, over its JSON gateway: a client that shares nothing with the one under
 * test.
 */

/** Calls of etcd. Each rejects if no node answers it within a few seconds. */
export interface Admin {
  isHealthy(): Promise<boolean>;
  status(): Promise<{ readonly isLeader: boolean; readonly revision: bigint }>;
  put(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  /** The keys under a prefix, in order. */
  keys(prefix: string): Promise<string[]>;
  /** The pairs under a prefix, in order. */
  range(prefix: string): Promise<{ readonly key: string; readonly value: Buffer }[]>;
  /** Forgets all revisions before the present one. */
  compact(): Promise<void>;
  /** Any other call, by its path, such as `auth/enable`. */
  call(path: string, body: unknown): Promise<Record<string, unknown>>;
}

/** Creates a client of nodes, which are tried in turn. */
export function createAdmin(urls: readonly string[]): Admin {
  const call = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    let problem: unknown;
    for (const url of urls) {
      try {
        return await post(url, path, body);
      } catch (error) {
        problem = error;
      }
    }
    throw problem;
  };
  const status = async () => {
    const { header, leader } = await call("maintenance/status", {});
    const { member_id: id, revision } = header as { member_id: string; revision: string };
    return { isLeader: id === leader, revision: BigInt(revision) };
  };
  const range = async (prefix: string, options: object) => {
    const { kvs = [] } = await call("kv/range", {
      // A zero byte for both means every key.
      key: base64(prefix === "" ? "\0" : prefix),
      range_end: base64(endOf(prefix)),
      ...options,
    });
    return (kvs as { key: string; value?: string }[]).map(({ key, value = "" }) => ({
      key: Buffer.from(key, "base64").toString(),
      value: Buffer.from(value, "base64"),
    }));
  };
  return {
    call,
    status,
    async isHealthy() {
      return call("kv/range", { key: base64("health") }).then(
        () => true,
        () => false,
      );
    },
    async put(key, value) {
      await call("kv/put", { key: base64(key), value: base64(value) });
    },
    async remove(key) {
      await call("kv/deleterange", { key: base64(key) });
    },
    async keys(prefix) {
      return (await range(prefix, { keys_only: true })).map(({ key }) => key);
    },
    range: (prefix) => range(prefix, {}),
    async compact() {
      const { revision } = await status();
      await call("kv/compaction", { revision: String(revision) }).catch((error: unknown) => {
        // There is nothing to forget if nothing was written since the last time.
        if (!String(error).includes("has been compacted")) {
          throw error;
        }
      });
    },
  };
}

async function post(url: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/v3/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(3_000),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) {
    throw new Error(`etcd refused ${path}: ${JSON.stringify(answer)}`);
  }
  return answer;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The end of the range of keys with a prefix. */
function endOf(prefix: string): string {
  return prefix === ""
    ? "\0"
    : prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
