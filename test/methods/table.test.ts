import { globSync } from "node:fs";
import { create, type DescMessage, type DescService, type Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { proxiesOf } from "../support/proxies.ts";
import { createReadiness } from "../../src/journal/readiness.ts";
import { createMethodTable, type MethodRow, services } from "../../src/methods/table.ts";

const table = createMethodTable(createReadiness(), new AbortController().signal, proxiesOf());
const root = new URL("../..", import.meta.url).pathname;

/** The services of the API, as they are generated. */
async function generatedServices(): Promise<DescService[]> {
  const files = globSync("gen/{tetrateio,wasmext}/**/*_pb.ts", { cwd: root });
  const modules = await Promise.all(
    files.map((file) => import(`${root}${file}`) as Promise<Record<string, { kind?: string }>>),
  );
  return modules
    .flatMap((module) => Object.values(module))
    .filter((exported): exported is DescService => exported.kind === "service");
}

test("every RPC that is generated, or reflected, has a row", async () => {
  const generated = await generatedServices();
  expect(generated.length).toBeGreaterThanOrEqual(6);
  const wanted = new Set([...generated, ...services].flatMap(({ methods }) => methods));
  expect(new Set(table.map(({ desc }) => desc))).toEqual(wanted);
  for (const { method } of table) {
    expect(method).toMatchObject({ handle: expect.any(Function) as unknown });
  }
});

/** A request with a name in each of its fields that hold one. */
function requestOf(schema: DescMessage): Message {
  const names = { parent: "the parent", fqn: "the fqn", target: "the target" };
  const own = Object.fromEntries(Object.entries(names).filter(([name]) => name in schema.field));
  return create<DescMessage>(schema, {
    ...own,
    ...("attachmentSet" in schema.field && { attachmentSet: { fqn: "the set's fqn" } }),
  });
}

function accessOf({ desc, method }: MethodRow): string {
  const { access } = method;
  return typeof access === "string"
    ? access
    : `${access.permission} ${access.resource(requestOf(desc.input))}`;
}

test("each names what its caller has to be allowed", () => {
  const access = table.map((row) => [`${row.desc.parent.name}.${row.desc.name}`, accessOf(row)]);
  expect(Object.fromEntries(access)).toEqual({
    "WasmExtensions.CreateWasmExtension": "CREATE the parent",
    "WasmExtensions.GetWasmExtension": "READ the fqn",
    "WasmExtensions.UpdateWasmExtension": "WRITE the fqn",
    "WasmExtensions.ListWasmExtension": "READ the parent",
    "WasmExtensions.DeleteWasmExtension": "DELETE the fqn",
    "Tenants.ListWasmExtensions": "READ the parent",
    "AttachmentService.SetAttachments": "WRITE the set's fqn",
    "AttachmentService.GetAttachments": "READ the fqn",
    "AttachmentService.ListAttachments": "READ the parent",
    "AttachmentService.DeleteAttachments": "DELETE the fqn",
    "ChainService.ResolveChain": "READ the target",
    "ChainService.WatchChain": "READ the target",
    "WatchService.Watch": "READ the parent",
    "ExportService.ExportIstio": "READ the parent",
    "AccessService.WhoAmI": "api",
    "ProxyService.ListProxies": "READ the parent",
    "ProxyService.WatchProxies": "READ the parent",
    "ProxyService.GetStatus": "READ the fqn",
    "ProxyService.WatchStatus": "READ the fqn",
    "AggregatedDiscoveryService.StreamAggregatedResources": "api",
    "AggregatedDiscoveryService.DeltaAggregatedResources": "api",
    "ExtensionConfigDiscoveryService.StreamExtensionConfigs": "api",
    "ExtensionConfigDiscoveryService.DeltaExtensionConfigs": "api",
    "Health.Check": "open",
    "Health.List": "open",
    "Health.Watch": "open",
    "ServerReflection.ServerReflectionInfo": "api",
  });
});

test("what reads alone may be called by GET, and nothing else", () => {
  const reading = table.filter(
    (row) => row.kind === "unary" && /^(?:READ .*|api)$/.test(accessOf(row)),
  );
  const safe = table.filter(({ desc }) => desc.idempotency === Idempotency.NO_SIDE_EFFECTS);
  expect(new Set(safe.filter(({ kind }) => kind === "unary"))).toEqual(new Set(reading));
});
