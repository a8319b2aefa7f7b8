import { afterAll, beforeAll } from "vitest";
import { describeJournal } from "../journal/describe-journal.ts";
import { createMedium } from "./medium.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
});

describeJournal("etcd", () => Promise.resolve(createMedium(etcd.urls)));
