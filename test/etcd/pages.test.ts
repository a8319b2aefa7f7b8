/* Reading many values, page by page. */
import { expect, test } from "vitest";
import { createEtcdClient } from "../../src/journal/etcd/client.ts";
import { pages } from "../../src/journal/etcd/pages.ts";
import { put, transaction } from "../../src/journal/etcd/requests.ts";
import { startEtcd } from "./support/etcd.ts";

const limitBytes = 1024 * 1024;

test("no page is larger than what is read at once, wherever large values begin", async () => {
  await using etcd = await startEtcd();
  const client = createEtcdClient({ endpoints: etcd.urls, maxAnswerBytes: limitBytes });
  const signal = AbortSignal.timeout(30_000);
  const sizes = Array.from({ length: 1_200 }, (_, index) =>
    (index > 700 && index < 730) || index % 400 === 399 ? 300_000 : 20,
  );
  const keyOf = (index: number) => Buffer.from(`p/${String(index).padStart(5, "0")}`);
  for (let index = 0; index < sizes.length;) {
    const operations = [];
    let bytes = 0;
    while (index < sizes.length && operations.length < 100 && bytes < 900_000) {
      bytes += sizes[index] ?? 0;
      operations.push(put(keyOf(index), Buffer.alloc(sizes[index] ?? 0, index)));
      index++;
    }
    await client.tryTxn(transaction([], operations), signal);
  }
  const range = { key: Buffer.from("p/"), rangeEnd: Buffer.from("p0") };
  const read: [string, number][] = [];
  let requests = 0;
  for await (const page of pages(client, range, 0n, { signal })) {
    requests++;
    const bytes = page.reduce((sum, { value }) => sum + value.byteLength, 0);
    expect(bytes).toBeLessThanOrEqual(limitBytes);
    read.push(
      ...page.map(({ key, value }): [string, number] => [
        Buffer.from(key).toString(),
        value.byteLength,
      ]),
    );
  }
  expect(read).toEqual(sizes.map((size, index) => [keyOf(index).toString(), size]));
  expect(requests).toBeLessThan(100);
  client.close();
});
