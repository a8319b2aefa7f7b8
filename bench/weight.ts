/*
 * Whether weights are right: what the catalog says that objects, commits and snapshots hold in memory,
 * against what the heap says, for shapes in which the two are most likely to differ.
 */
import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { CreateWasmExtensionRequestSchema } from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { type AttachmentSet, AttachmentSetSchema } from "../gen/wasmext/v1/attachment_set_pb.ts";
import { createExtension, updateExtension } from "../src/catalog/writes/extension-writes.ts";
import { storedOf } from "../src/catalog/state/stored.ts";
import { createMemoryCatalog } from "../src/journal/catalog.ts";
import { heldBytes, print } from "./measure.ts";

const times = <Value>(count: number, make: (index: number) => Value): Value[] =>
  Array.from({ length: count }, (_, index) => make(index));
const record = <Value>(count: number, make: (index: number) => readonly [string, Value]) =>
  Object.fromEntries(times(count, make));

const fqn = (index: number): string => `organizations/acme/extensions/e${index}`;

type Init<Desc extends DescMessage> = Exclude<MessageInitShape<Desc>, Message>;
type Make<Desc extends DescMessage> = (index: number) => Init<Desc>;
const extensions: Record<string, Make<typeof WasmExtensionSchema>> = {
  plain: () => ({}),
  "20 tenants": (i) => ({
    allowedIn: times(20, (k) => `organizations/acme/tenants/t${i}-${k}`),
  }),
  "8 KiB of one-byte characters": (i) => ({ description: `${i}${"x".repeat(8192)}` }),
  "8 KiB of two-byte characters": (i) => ({ description: `${i}${"\u4e2d".repeat(2730)}` }),
  "a number": (i) => ({ config: { threshold: i } }),
  "10 keys, the same in all": (i) => ({ config: record(10, (k) => [`key${k}`, i]) }),
  "10 keys of its own": (i) => ({ config: record(10, (k) => [`key${i}-${k}`, i]) }),
  "100 keys of its own": (i) => ({ config: record(100, (k) => [`key${i}-${k}`, "x"]) }),
  "500 empty objects": () => ({ config: { list: times(500, () => ({})) } }),
  "500 empty lists": () => ({ config: { list: times(500, () => []) } }),
  "500 fractions": () => ({ config: { list: times(500, (k) => k + 0.5) } }),
  "500 short strings": (i) => ({ config: { list: times(500, (k) => `${i}-${k}`) } }),
  "a tree of 500": (i) => ({
    config: { list: times(100, (k) => ({ a: { b: { c: { d: i + k } } } })) },
  }),
};

const target = (index: number): string =>
  `organizations/acme/tenants/t/workspaces/w/securitygroups/s${index}`;
const sets: Record<string, Make<typeof AttachmentSetSchema>> = {
  "1 attachment": (i) => ({ extension: [{ fqn: fqn(i) }] }),
  "100 empty attachments": () => ({ extension: times(100, () => ({})) }),
  "100 empty selectors": () => ({ extension: [{ match: times(100, () => ({})) }] }),
  "100 ports": () => ({ extension: [{ match: [{ ports: times(100, (k) => ({ number: k })) }] }] }),
  "20 labels": (i) => ({ workloadSelector: { labels: record(20, (k) => [`l${k}`, `v${i}`]) } }),
};

/** Prints what objects hold, each made as a request makes it, from bytes. */
function compare(name: string, count: number, make: (index: number) => () => { weight: number }) {
  const makers = times(count, make);
  makers[0]?.();
  const before = heldBytes();
  const kept = makers.map((each) => each());
  const held = heldBytes() - before;
  const estimated = kept.reduce((sum, { weight }) => sum + weight, 0);
  print(`${name}: bytes`, Math.round(held / count));
  print(`${name}: estimate to that`, (estimated / held).toFixed(2));
}

for (const [name, of] of Object.entries(extensions)) {
  compare(`extension, ${name}`, 2_000, (index) => {
    const url = `oci://ghcr.io/acme/e${index}:1`;
    const message = create(WasmExtensionSchema, { fqn: fqn(index), url, ...of(index) });
    const bytes = toBinary(WasmExtensionSchema, message);
    return () => storedOf(WasmExtensionSchema, fromBinary(WasmExtensionSchema, bytes));
  });
}
for (const [name, of] of Object.entries(sets)) {
  compare(`attachment set, ${name}`, 2_000, (index) => {
    const message: AttachmentSet = create(AttachmentSetSchema, {
      fqn: target(index),
      ...of(index),
    });
    const bytes = toBinary(AttachmentSetSchema, message);
    return () => storedOf(AttachmentSetSchema, fromBinary(AttachmentSetSchema, bytes));
  });
}

/** Writes to one extension of many, again and again; returns what is held after it and before. */
async function writes(count: number, config: () => WasmExtension["config"], keep: boolean) {
  const parent = "organizations/acme";
  const { reader: store, journal } = createMemoryCatalog({
    history: { maxCommits: keep ? 1 : 1e6, maxWeight: 1e12 },
    snapshots: { maxWeight: 1e12 },
  });
  const put = (name: string) =>
    journal.write(
      createExtension(
        create(CreateWasmExtensionRequestSchema, {
          parent,
          name,
          wasmExtension: { url: "oci://x" },
        }),
      ),
    );
  for (let index = 0; index < 5_000; index++) {
    await put(`e${index}`);
  }
  let current = (await put("changes")).message;
  const before = heldBytes();
  const [historyBefore, snapshotsBefore] = [store.history.weight, store.snapshots.weight];
  for (let index = 0; index < count; index++) {
    const changed = create(WasmExtensionSchema, {
      ...current,
      priority: index,
      config: config() ?? {},
    });
    const bytes = toBinary(WasmExtensionSchema, changed);
    const { message } = await journal.write(
      updateExtension(fromBinary(WasmExtensionSchema, bytes)),
    );
    current = message;
    if (keep) {
      store.snapshots.keep(store.state, parent);
    }
  }
  const held = heldBytes() - before;
  const estimated = keep
    ? store.snapshots.weight - snapshotsBefore
    : store.history.weight - historyBefore;
  return { held, estimated };
}

for (const [name, config] of [
  ["small", () => ({ a: 1 })],
  ["500 empty objects", () => ({ list: times(500, () => ({})) })],
] as const) {
  for (const keep of [false, true]) {
    const { held, estimated } = await writes(2_000, config, keep);
    const what = keep ? "snapshot a commit" : "history a commit";
    print(`${what}, ${name}: bytes`, Math.round(held / 2_000));
    print(`${what}, ${name}: estimate to that`, (estimated / held).toFixed(2));
  }
}

/* The history at its bound, full of commits whose memory is many times their encoded size. */
const maxWeight = 32 * 1024 * 1024;
const { reader: store, journal } = createMemoryCatalog({ history: { maxWeight } });
const name = "large-in-memory";
const parent = "organizations/acme";
let current = (
  await journal.write(
    createExtension(
      create(CreateWasmExtensionRequestSchema, { parent, name, wasmExtension: { url: "oci://x" } }),
    ),
  )
).message;
const empty = heldBytes();
for (let index = 0; index < 5_000; index++) {
  const config = { list: times(500, () => ({})) };
  const changed = create(WasmExtensionSchema, { ...current, priority: index, config });
  const bytes = toBinary(WasmExtensionSchema, changed);
  current = (await journal.write(updateExtension(fromBinary(WasmExtensionSchema, bytes)))).message;
}
const full = heldBytes() - empty;
print("history of lists of empty objects: MiB of its bound", maxWeight / 2 ** 20);
print(
  "history of lists of empty objects: MiB by its count",
  (store.history.weight / 2 ** 20).toFixed(1),
);
print("history of lists of empty objects: MiB of memory", (full / 2 ** 20).toFixed(1));
print("history of lists of empty objects: ratio", (full / maxWeight).toFixed(2));
