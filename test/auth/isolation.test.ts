/*
 * A tenant learns nothing of what it may not see. Two catalogs differ in that alone: the other tenant's
 * name, the names and the content of extensions that it alone may use, and what it attaches. Whatever the
 * tenant asks, in whatever order things were written, both answer the same.
 */
import { type DescService, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { Tenants } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { AttachmentService } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { ChainService } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { ExportService } from "../../gen/wasmext/v1/export_service_pb.ts";
import { ProxyService } from "../../gen/wasmext/v1/proxy_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { anyone, permissions, type Principal } from "../../src/catalog/access/principal.ts";
import { createInMemoryTransport } from "../../src/in-memory.ts";
import { AdsProxy } from "../support/ads-proxy.ts";
import { createFakeModules } from "../support/fake-modules.ts";
import { proxiesOf } from "../support/proxies.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import { jsonOptions } from "../../src/wire/options.ts";
import { acme, createAcme, ext } from "../support/acme.ts";
import { said } from "../support/errors.ts";
import { until } from "../support/stream.ts";

/** What differs between the catalogs. All that begins with `other` or `hidden` is replaced. */
interface World {
  readonly other: string;
  readonly hidden: readonly string[];
  readonly secret: string;
}
const worlds: readonly [World, World] = [
  { other: "blue", hidden: ["abc", "xyz"], secret: "first-secret" },
  { other: "teal", hidden: ["abd", "xyy"], secret: "other-secret" },
];

const red = `${acme}/tenants/red`;
const tenantOf = ({ other }: World): string => `${acme}/tenants/${other}`;
const shared = ["m1", "m2", "m3"];
const workspace = (tenant: string): string => `${tenant}/workspaces/w`;
const targetsOf = (tenant: string): string[] => [
  `${workspace(tenant)}/securitygroups/s`,
  `${workspace(tenant)}/gatewaygroups/g/ingressgateways/i`,
];

/** A write by the organization. Extensions are numbered: the shared ones, then the hidden ones. */
type Write =
  | {
      readonly kind: "put";
      readonly extension: number;
      readonly to: "all" | "red" | "other" | "both";
      readonly priority: number;
    }
  | { readonly kind: "remove"; readonly extension: number }
  | { readonly kind: "free"; readonly isRed: boolean; readonly target: number }
  | {
      readonly kind: "attach";
      readonly isRed: boolean;
      readonly target: number;
      readonly extensions: readonly number[];
    };

const anyName = fc.nat(shared.length + 1);
const anyWrite: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      extension: anyName,
      to: fc.constantFrom("all", "red", "other", "both", "both"),
      priority: fc.integer({ min: -1, max: 1 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("remove" as const), extension: anyName }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("attach" as const),
      isRed: fc.boolean(),
      target: fc.nat(1),
      extensions: fc.array(anyName, { maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("free" as const),
      isRed: fc.boolean(),
      target: fc.nat(1),
    }),
  },
);

const principal: Principal = {
  ...anyone,
  name: "red-admin",
  grants: [{ resource: red, permissions }],
};

/** What red can ask: of its own things, of the others', of names that there may be. */
function questions(): [DescService, string, object][] {
  const names = [...shared, ...worlds.flatMap(({ hidden }) => hidden), "none"].map(ext);
  const tenants = [red, ...worlds.map(tenantOf), `${acme}/tenants/none`];
  const targets = tenants.flatMap(targetsOf);
  const parents = [acme, ...tenants, ...tenants.map(workspace), "organizations/none"];
  const url = "oci://x";
  const selector = { workloadSelector: { namespace: "n", labels: { app: "a" } } };
  return [
    ...names.flatMap((fqn): [DescService, string, object][] => [
      [ProxyService, "getStatus", { fqn }],
      [WasmExtensions, "getWasmExtension", { fqn }],
      [WasmExtensions, "updateWasmExtension", { fqn, url, etag: '"AAAAAAAAAAA="' }],
      [WasmExtensions, "deleteWasmExtension", { fqn }],
      // Red's own set changes with this, in both catalogs alike.
      ...targetsOf(red).map((target): [DescService, string, object] => [
        AttachmentService,
        "setAttachments",
        { attachmentSet: { fqn: `${target}x`, extension: [{ fqn }] } },
      ]),
    ]),
    ...parents.flatMap((parent): [DescService, string, object][] => [
      [WasmExtensions, "createWasmExtension", { parent, name: "new", wasmExtension: { url } }],
      [WasmExtensions, "listWasmExtension", { parent }],
      [WasmExtensions, "listWasmExtension", { parent, pageSize: 1 }],
      [Tenants, "listWasmExtensions", { parent }],
      [Tenants, "listWasmExtensions", { parent, pageSize: 1 }],
      [AttachmentService, "listAttachments", { parent }],
      [AttachmentService, "listAttachments", { parent, pageSize: 1 }],
      [ExportService, "exportIstio", { parent }],
      [ProxyService, "listProxies", { parent }],
      [ProxyService, "listProxies", { parent, pageSize: 1 }],
    ]),
    ...targets.flatMap((target): [DescService, string, object][] => [
      [AttachmentService, "getAttachments", { fqn: target }],
      [ProxyService, "getStatus", { fqn: target }],
      [ProxyService, "listProxies", { parent: target }],
      [ChainService, "resolveChain", { target }],
      [ExportService, "exportIstio", { parent: target }],
      [AttachmentService, "setAttachments", { attachmentSet: { fqn: target, ...selector } }],
    ]),
    ...targetsOf(red).map((target): [DescService, string, object] => [
      AttachmentService,
      "deleteAttachments",
      { fqn: `${target}x` },
    ]),
    ...worlds.flatMap((world) =>
      targetsOf(tenantOf(world)).map((fqn): [DescService, string, object] => [
        AttachmentService,
        "deleteAttachments",
        { fqn },
      ]),
    ),
  ];
}

const watches: [DescService, string, object][] = [red, acme, ...worlds.map(tenantOf)].flatMap(
  (parent) => [
    [WatchService, "watch", { parent }],
    [WatchService, "watch", { parent, startRevision: 1n }],
    [ChainService, "watchChain", { target: targetsOf(parent)[0] }],
    [ProxyService, "watchStatus", { fqn: targetsOf(parent)[0] }],
    [ProxyService, "watchProxies", { parent }],
  ],
);

type Call = (request: object, options?: object) => Promise<Message> | AsyncIterable<Message>;

function call(transport: Transport, service: DescService, method: string): Call {
  const client: Partial<Record<string, unknown>> = createClient(service, transport);
  return client[method] as Call;
}

/** An answer as text. Etags and tokens are random. */
function textOf(service: DescService, method: string, answer: Message): string {
  const schema = service.method[method]?.output ?? expect.fail(method);
  // JSON shows what the message says; binary shows what else is in it.
  const binary = Buffer.from(toBinary(schema, answer)).toString("latin1");
  if (worlds.some(({ secret }) => binary.includes(secret))) {
    expect.fail(`a secret in ${method}`);
  }
  return toJsonString(schema, answer, jsonOptions)
    .replaceAll(/"etag":"(?:[^"\\]|\\")*"/g, "etag")
    .replaceAll(/"(nextPageToken|incarnation)":"[^"]*"/g, "$1");
}

function errorText(error: unknown): string {
  return JSON.stringify(said(ConnectError.from(error)));
}

/** All that red hears: what it asks in the end, and what it has watched from the beginning. */
async function heard(world: World, writes: readonly Write[], json: boolean): Promise<string[]> {
  const catalog = createMemoryCatalog();
  const { put, remove, attach, attachments, watches: ownerWatches } = createAcme({ catalog });
  const proxies = proxiesOf(catalog.reader, createFakeModules());
  const transport = createInMemoryTransport({ catalog, principal, json, proxies });
  // The proxies of the other tenant; one of red's own asks for what is the other's.
  const ownersTransport = createInMemoryTransport({ catalog, proxies });
  const slots = targetsOf(tenantOf(world)).map((target) => `wasmext/all/outbound/${target}`);
  const othersProxy = new AdsProxy(slots, { node: { id: world.secret } });
  othersProxy.connect(ownersTransport);
  const redsProxy = new AdsProxy(slots);
  redsProxy.connect(transport);
  const lines: string[] = [];
  const ended = new Set<number>();
  const ending = new AbortController();
  // The owner, who sees everything, watches the same before.
  const owner = (async () => {
    const stream = ownerWatches.watch({ parent: red }, { signal: ending.signal });
    for await (const answer of stream) {
      expect(answer.incarnation).not.toBe("");
    }
  })().catch(() => undefined);
  const followed = watches.map(async ([service, method, request], index) => {
    const own: string[] = [];
    const stream = call(transport, service, method)(request, { signal: ending.signal });
    try {
      for await (const answer of stream as AsyncIterable<Message>) {
        const text = textOf(service, method, answer);
        if (text.includes(ext("end")) && text.includes(red)) {
          ended.add(index);
        }
        // A watch of a chain may skip what came between, so the last is compared alone.
        own.splice(
          service === ChainService || method === "watchStatus" ? 0 : own.length,
          own.length,
          `watch ${index} ${text}`,
        );
      }
    } catch (error) {
      own.push(`watch ${index} ${ending.signal.aborted ? "ended" : errorText(error)}`);
    }
    return own;
  });

  const { commitNotifier, chainNotifier } = catalog.reader;
  await until(() => commitNotifier.size === 4 && chainNotifier.size === 3, "all watch");

  const nameOf = (index: number): string => shared[index] ?? world.hidden[index - 3] ?? "";
  for (const write of writes) {
    // Writes that are refused are refused in both catalogs.
    await carryOut(write).catch(() => undefined);
  }
  async function carryOut(write: Write): Promise<void> {
    if (write.kind === "remove") {
      await remove(nameOf(write.extension));
    } else if (write.kind === "free") {
      const tenant = write.isRed ? red : tenantOf(world);
      await attachments.deleteAttachments({ fqn: targetsOf(tenant)[write.target] ?? "" });
    } else if (write.kind === "put") {
      const isShared = write.extension < shared.length;
      const allowed = {
        all: [],
        red: [red],
        other: [tenantOf(world)],
        both: [tenantOf(world), red],
      };
      const allowedIn = isShared ? allowed[write.to] : allowed.other;
      const isOthers = !isShared || write.to === "other";
      await put(nameOf(write.extension), {
        allowedIn,
        priority: write.priority,
        config: { secret: isOthers ? world.secret : "open" },
      });
    } else {
      const tenant = write.isRed ? red : tenantOf(world);
      const config = { own: write.isRed ? "red" : world.secret };
      const attachments = write.extensions.map((each) => ({ fqn: ext(nameOf(each)), config }));
      await attach(targetsOf(tenant)[write.target] ?? "", attachments, {
        namespace: write.isRed ? "n" : world.secret,
        labels: { app: "a" },
      });
    }
  }

  for (const [service, method, request] of questions()) {
    const ask = call(transport, service, method);
    // Pages go on as far as there are some.
    for (let pageToken = "", page = 0; page < 6; page++) {
      const asked = pageToken === "" ? request : { ...request, pageToken };
      const what = `${method} ${JSON.stringify(request)} ${page}`;
      try {
        const answer = (await ask(asked)) as Message & { nextPageToken?: string };
        lines.push(`${what} ${textOf(service, method, answer)}`);
        pageToken = answer.nextPageToken ?? "";
      } catch (error) {
        lines.push(`${what} ${errorText(error)}`);
        pageToken = "";
      }
      if (pageToken === "") {
        break;
      }
    }
  }
  await put("end");
  await attach(targetsOf(red)[0] ?? "", [{ fqn: ext("end") }]);
  await until(() => ended.size === 4, "all that may watch see the end");
  for (const slot of slots) {
    await redsProxy.runs(slot, ["deny"]);
    await until(() => othersProxy.run(slot) !== undefined, "the other has its chain");
  }
  expect(redsProxy.answers).toEqual(slots.map((slot) => [slot, "accepted"]));
  await Promise.all([othersProxy.disconnect(), redsProxy.disconnect()]);
  ending.abort();
  await owner;
  return lines.concat((await Promise.all(followed)).flat());
}

test("what a tenant hears is the same, whatever others have that it may not see", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyWrite, { minLength: 5, maxLength: 15 }),
      fc.boolean(),
      async (writes, json) => {
        const [first, second] = await Promise.all(
          worlds.map((world) => heard(world, writes, json)),
        );
        expect(second).toEqual(first);
      },
    ),
    { numRuns: 30 },
  );
}, 60_000);

test("the questions are of every RPC of the API", () => {
  const services = [
    WasmExtensions,
    Tenants,
    AttachmentService,
    ChainService,
    ExportService,
    WatchService,
    ProxyService,
  ];
  const asked = [...questions(), ...watches].map(([{ typeName }, method]) => typeName + method);
  const all = services.flatMap((service) =>
    service.methods.map(({ localName }) => service.typeName + localName),
  );
  expect(new Set(asked)).toEqual(new Set(all));
});
