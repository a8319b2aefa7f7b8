/*
 * Who may do what: each RPC, each kind of caller, and the code that it gets, over every protocol. An RPC
 * without a row fails.
 */
import { type DescMethod, fromJson, type JsonObject, type Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createInMemoryTransport } from "../../src/in-memory.ts";
import { proxiesOf } from "../support/proxies.ts";
import { createReadiness } from "../../src/journal/readiness.ts";
import { createMethodTable } from "../../src/methods/table.ts";
import { type Acme, acme, blueSecurity, createAcme, ext, red } from "../support/acme.ts";
import { protocols, type Secured, startSecured } from "../support/secured.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";
import { badTokens, type Caller, callers, grantsOf, principalOf, tokenOf } from "./callers.ts";

/** The codes of the table. */
const codes: Readonly<Record<string, string>> = {
  "-": "ok",
  U: Code[Code.Unauthenticated],
  N: Code[Code.NotFound],
  D: Code[Code.PermissionDenied],
  F: Code[Code.FailedPrecondition],
};

/** A request, as JSON or made from what is stored, and the code that each kind of caller gets. */
interface Row {
  readonly rpc: string;
  readonly request: JsonObject | ((catalog: Acme) => JsonObject);
  readonly codes: string;
}

const workspace = `${red}/workspaces/w`;
const target = `${workspace}/securitygroups/s`;
const url = "oci://ghcr.io/acme/x:2.0";
const setOf = (catalog: Acme, attached: string[], fqn = target): JsonObject => ({
  attachmentSet: {
    fqn,
    etag: storedSets(catalog.reader).get(fqn)?.etag ?? "",
    extension: attached.map((name) => ({ fqn: ext(name) })),
  },
});
const update = (name: string) => (catalog: Acme) => ({
  fqn: ext(name),
  url,
  etag: storedExtensions(catalog.reader).get(ext(name))?.etag ?? "",
});

const extensions = "tetrateio.api.tsb.extension.v2.WasmExtensions";
const tenants = "tetrateio.api.tsb.v2.Tenants";

/** Everyone may use `open`, red alone `held`, blue alone `foreign`. */
const table: readonly Row[] = [
  ...rowsOf(`${extensions}/CreateWasmExtension`, [
    // none
    // | other organization
    // | | other tenant
    // | | | reader
    // | | | | editor
    // | | | | | writer
    // | | | | | | organization's reader
    // | | | | | | | organization's creator
    // | | | | | | | | organization's owner
    // | | | | | | | | | extension's holder
    // | | | | | | | | | | workspace's holder
    ["U N N N N N D - - N N", { parent: acme, name: "new", wasmExtension: { url } }],
  ]),
  ...rowsOf(`${extensions}/GetWasmExtension`, [
    ["U N - - - - - N - N N", { fqn: ext("open") }],
    ["U N N - - - - N - - N", { fqn: ext("held") }],
    ["U N - N N N - N - N N", { fqn: ext("foreign") }],
    ["U N N N N N N N N N N", { fqn: ext("missing") }],
  ]),
  ...rowsOf(`${extensions}/UpdateWasmExtension`, [
    ["U N D D D D D N - N N", update("open")],
    ["U N N D D D D N - - N", update("held")],
    ["U N D N N N D N - N N", update("foreign")],
  ]),
  ...rowsOf(`${extensions}/ListWasmExtension`, [["U N N N N N - N - N N", { parent: acme }]]),
  ...rowsOf(`${extensions}/DeleteWasmExtension`, [
    ["U N D D D D D N - N N", { fqn: ext("open") }],
    ["U N N D D D D N - - N", { fqn: ext("held") }],
    ["U N D N N N D N - N N", { fqn: ext("foreign") }],
  ]),
  ...rowsOf(`${tenants}/ListWasmExtensions`, [["U N N - - - - N - N N", { parent: red }]]),
  ...rowsOf("wasmext.v1.AttachmentService/SetAttachments", [
    ["U N N D - - D N - N -", (catalog) => setOf(catalog, [])],
    ["U N N D - - D N - N F", (catalog) => setOf(catalog, ["open"])],
    // Who may read an extension that the target's tenant may not use hears the same as who may not.
    ["U N N D F F D N F N F", (catalog) => setOf(catalog, ["foreign"])],
    ["U N - N N N D N - N N", (catalog) => setOf(catalog, ["open"], blueSecurity)],
  ]),
  ...rowsOf("wasmext.v1.AttachmentService/GetAttachments", [
    ["U N N - - - - N - N -", { fqn: target }],
    ["U N - N N N - N - N N", { fqn: blueSecurity }],
  ]),
  ...rowsOf("wasmext.v1.AttachmentService/ListAttachments", [
    ["U N N N N N - N - N N", { parent: acme }],
    ["U N N - - - - N - N N", { parent: red }],
    ["U N N - - - - N - N -", { parent: workspace }],
  ]),
  ...rowsOf("wasmext.v1.AttachmentService/DeleteAttachments", [
    ["U N N D D - D N - N -", { fqn: target }],
    ["U N - N N N D N - N N", { fqn: blueSecurity }],
  ]),
  ...rowsOf("wasmext.v1.ChainService/ResolveChain", [["U N N - - - - N - N -", { target }]]),
  ...rowsOf("wasmext.v1.ChainService/WatchChain", [["U N N - - - - N - N -", { target }]]),
  ...rowsOf("wasmext.v1.WatchService/Watch", [
    ["U N N N N N - N - N N", { parent: acme }],
    ["U N N - - - - N - N N", { parent: red }],
    ["U N N - - - - N - N N", { parent: red, startRevision: "1" }],
  ]),
  ...rowsOf("wasmext.v1.ExportService/ExportIstio", [
    ["U N N N N N - N - N N", { parent: acme }],
    ["U N N - - - - N - N N", { parent: red }],
    ["U N N - - - - N - N -", { parent: target }],
  ]),
  ...rowsOf("wasmext.v1.AccessService/WhoAmI", [["U - - - - - - - - - -", {}]]),
  ...["ListProxies", "WatchProxies"].flatMap((rpc) =>
    rowsOf(`wasmext.v1.ProxyService/${rpc}`, [
      ["U N N N N N - N - N N", { parent: acme }],
      ["U N N - - - - N - N N", { parent: red }],
      ["U N N - - - - N - N -", { parent: target }],
    ]),
  ),
  ...["GetStatus", "WatchStatus"].flatMap((rpc) =>
    rowsOf(`wasmext.v1.ProxyService/${rpc}`, [
      ["U N N - - - - N - N -", { fqn: target }],
      ["U N - - - - - N - N N", { fqn: ext("open") }],
      ["U N N - - - - N - - N", { fqn: ext("held") }],
      ["U N - N N N - N - N N", { fqn: ext("foreign") }],
      ["U N N N N N N N N N N", { fqn: ext("missing") }],
    ]),
  ),
  ...[
    "discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    "extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs",
  ].flatMap((rpc) =>
    rowsOf(`envoy.service.${rpc}`, [["U - - - - - - - - - -", { resourceNames: ["x"] }]]),
  ),
  ...[
    "discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    "extension.v3.ExtensionConfigDiscoveryService/DeltaExtensionConfigs",
  ].flatMap((rpc) =>
    rowsOf(`envoy.service.${rpc}`, [["U - - - - - - - - - -", { resourceNamesSubscribe: ["x"] }]]),
  ),
  ...rowsOf("grpc.health.v1.Health/Check", [["- - - - - - - - - - -", {}]]),
  ...rowsOf("grpc.health.v1.Health/List", [["- - - - - - - - - - -", {}]]),
  ...rowsOf("grpc.health.v1.Health/Watch", [["- - - - - - - - - - -", {}]]),
  ...["v1", "v1alpha"].flatMap((version) =>
    rowsOf(`grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`, [
      ["U - - - - - - - - - -", { listServices: "" }],
    ]),
  ),
];

function rowsOf(rpc: string, rows: readonly (readonly [string, Row["request"]])[]): Row[] {
  return rows.map(([letters, request]) => ({ rpc, request, codes: letters }));
}

const methods = new Map(
  createMethodTable(createReadiness(), new AbortController().signal, proxiesOf()).map(
    ({ desc }) => [`${desc.parent.typeName}/${desc.name}`, desc],
  ),
);

test("each RPC has a row, and each row is of an RPC", () => {
  expect(new Set(table.map(({ rpc }) => rpc))).toEqual(new Set(methods.keys()));
});

describe.each(protocols)("over %s", (protocol, transportOf) => {
  let catalog: Acme;
  let secured: Secured;
  let transports: ReadonlyMap<Caller, Transport>;
  let badTransports: ReadonlyMap<string, Transport>;
  beforeAll(async () => {
    catalog = createAcme();
    secured = await startSecured(grantsOf, { catalog });
    const { url: address } = secured.server;
    const tokens = await Promise.all(callers.map((caller) => tokenOf(caller, secured)));
    transports = new Map(
      callers.map((caller, index) => [caller, transportOf(address, tokens[index])]),
    );
    const bad = Object.entries(await badTokens(secured));
    badTransports = new Map(bad.map(([what, token]) => [what, transportOf(address, token)]));
  });
  afterAll(() => secured[Symbol.asyncDispose]());

  const rows = table.filter(({ rpc }) => isFor(protocol, methodOf(rpc)));
  test.each(rows)("$rpc $request", async (row) => {
    expect(await outcomes(row, catalog, transports)).toEqual(expected(row, callers));
  });

  test.each(rows)("$rpc $request, with a token that proves nothing", async (row) => {
    const { none } = expected(row, ["none"]);
    const found = await outcomes(row, catalog, badTransports);
    expect(found).toEqual(
      Object.fromEntries([...badTransports.keys()].map((what) => [what, none])),
    );
  });
});

describe("in memory", () => {
  const catalog = createAcme();
  const { reader, journal } = catalog;
  const known = callers.filter((caller) => caller !== "none");
  const transports = new Map(
    known.map((caller) => [
      caller,
      createInMemoryTransport({ catalog: { reader, journal }, principal: principalOf(caller) }),
    ]),
  );

  test.each(table)("$rpc $request", async (row) => {
    expect(await outcomes(row, catalog, transports)).toEqual(expected(row, known));
  });
});

function isFor(protocol: string, { methodKind, idempotency }: DescMethod): boolean {
  return protocol.endsWith("by GET")
    ? methodKind === "unary" && idempotency === Idempotency.NO_SIDE_EFFECTS
    : methodKind !== "bidi_streaming" || !protocol.includes("HTTP/1.1");
}

function methodOf(rpc: string): DescMethod {
  const method = methods.get(rpc);
  if (method === undefined) {
    throw new Error(`there is no RPC ${rpc}`);
  }
  return method;
}

function expected({ codes: letters }: Row, those: readonly Caller[]): Record<string, string> {
  const all = letters.split(" ").map((letter, index) => [callers[index], codes[letter]] as const);
  expect(all).toHaveLength(callers.length);
  const wanted = all.filter(([caller]) => caller !== undefined && those.includes(caller));
  return Object.fromEntries(wanted) as Record<string, string>;
}

/** Calls as each kind of caller, on the same objects each time. */
async function outcomes(
  { rpc, request }: Row,
  catalog: Acme,
  transports: ReadonlyMap<string, Transport>,
): Promise<Record<string, string>> {
  const method = methodOf(rpc);
  const found: Record<string, string> = {};
  let restored: bigint | undefined;
  for (const [caller, transport] of transports) {
    if (catalog.reader.state.revision !== restored) {
      await restore(catalog);
      restored = catalog.reader.state.revision;
    }
    const json = typeof request === "function" ? request(catalog) : request;
    const code = await codeOf(method, fromJson(method.input, json), transport);
    if (code !== "ok") {
      expect(catalog.reader.state.revision).toBe(restored);
    }
    found[caller] = code;
  }
  return found;
}

const workloads = { namespace: "shop", labels: { app: "web" } };

/** Puts what rows change back as it was. */
async function restore(catalog: Acme): Promise<void> {
  await catalog.put("open", {});
  await catalog.put("held", { allowedIn: [red] });
  await catalog.put("foreign", { allowedIn: [`${acme}/tenants/blue`] });
  await catalog.attach(target, [{ fqn: ext("held") }], workloads);
  await catalog.attach(blueSecurity, [{ fqn: ext("foreign") }], workloads);
  if (storedExtensions(catalog.reader).has(ext("new"))) {
    await catalog.remove("new");
  }
}

/** How a call ends; a stream, with its first answer. */
async function codeOf(method: DescMethod, request: Message, transport: Transport): Promise<string> {
  const client: Record<string, unknown> = createClient(method.parent, transport);
  const call = client[method.localName] as (
    sent: unknown,
    options: { signal: AbortSignal },
  ) => Promise<Message> | AsyncIterable<Message>;
  const enough = new AbortController();
  const options = { signal: enough.signal };
  try {
    if (method.methodKind === "unary") {
      await call(request, options);
      return "ok";
    }
    const sent = method.methodKind === "bidi_streaming" ? once(request) : request;
    const answers = (call(sent, options) as AsyncIterable<Message>)[Symbol.asyncIterator]();
    const { done } = await answers.next();
    enough.abort();
    await answers.next().catch(() => undefined);
    return done === true ? "ended" : "ok";
  } catch (error) {
    return Code[ConnectError.from(error).code];
  }
}

async function* once(request: Message): AsyncGenerator<Message> {
  yield await Promise.resolve(request);
}
