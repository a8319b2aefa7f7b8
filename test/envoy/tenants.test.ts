/* A proxy gets what its token may read, and nothing else, whatever it asks for. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { acme, blue, blueSecurity, ext, red, redSecurity } from "../support/acme.ts";
import { folderOf, type Folder } from "../support/cli.ts";
import { audience, issuer, type IssuerKey, keySetOf, makeKey, sign } from "../support/issuer.ts";
import { answerBytes, serve, type TestServer } from "../modules/support/registry.ts";
import { type AdsClient, openAdsClient } from "./support/ads-client.ts";
import { testModule } from "./support/module.ts";
import { startProxy } from "./support/proxy.ts";
import { type Serving, startServingAs } from "./support/serving.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

/** What nobody but blue may see. */
const secret = "blue-secret";
const ofBlue = blueSecurity.slice(0, -1);

const common = await testModule("common");
const blueModule = await testModule(secret);

let key: IssuerKey;
let folder: Folder;
let serving: Serving;
let files: TestServer;
let upstream: Upstream;
let redToken: string;
let blueToken: string;

beforeAll(async () => {
  key = await makeKey("one");
  folder = folderOf({ "keys.json": keySetOf(key) });
  const grantOf = (resource: string, ...permissions: string[]) =>
    sign(key, { "wasmext.grants": [{ resource, permissions }] });
  redToken = await grantOf(red, "READ");
  blueToken = await grantOf(blue, "READ");
  serving = await startServingAs(await grantOf(acme, "READ", "CREATE", "WRITE", "DELETE"), [
    ...["--auth", "jwt", "--jwks", join(folder.path, "keys.json"), "--issuer", issuer],
    // So that the addresses of modules are seen.
    ...["--audience", audience, "--max-inline-module-bytes", "0"],
  ]);
  files = await serve((request, response) => {
    const { bytes } = request.url?.includes(secret) === true ? blueModule : common;
    answerBytes(bytes)(request, response);
  });
  upstream = await startUpstream();
  const url = `http://${files.host}/`;
  await serving.put("shared", { url, config: { name: "shared" } });
  await serving.put(secret, { url: `${url}${secret}`, config: { secret }, allowedIn: [blue] });
  await serving.attach(redSecurity, [{ fqn: ext("shared") }]);
  await serving.attach(blueSecurity, [
    { fqn: ext(secret) },
    { fqn: ext("shared"), config: { secret } },
  ]);
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  await files[Symbol.asyncDispose]();
  await serving[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const open = (token: string, nodeId: string, metadata = {}): AdsClient =>
  openAdsClient(new URL(serving.url).host, { token, nodeId, metadata });

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** What a client got for a name, without the name and what differs from answer to answer. */
async function answerFor(client: AdsClient, name: string): Promise<string> {
  const { bytes } = await client.got(name, (received) => received.name === name);
  return bytes
    .toString("latin1")
    .replace(name, "")
    .replaceAll(/@[0-9a-f]{8}\.\d+/g, "");
}

test("no name that it asks for gets it a byte of another tenant", async () => {
  // As long as the other, so that the answers are, too.
  const missing = `${blue}/workspaces/w/securitygroups/z`;
  using client = open(redToken, "red-1", {
    wasmext: { target: blueSecurity, listener: "outbound" },
  });
  const nameOf = (target: string, phase = "all", listener = "outbound"): string =>
    `wasmext/${phase}/${listener}/${target}`;
  const phases = ["all", "authn", "authz", "stats", "unspecified"];
  const names = [
    ...phases.flatMap((phase) => [nameOf(blueSecurity, phase), `wasmext/${phase}`]),
    ...["inbound:8080", "gateway", "outbound:1"].map((each) => nameOf(blueSecurity, "all", each)),
    ...[acme, blue, ext(secret), `${acme}/extensions`, "organizations"].map((each) => nameOf(each)),
    ...[`${blueSecurity}/`, `/${blueSecurity}`, `${red}/../blue/workspaces/w/securitygroups/s`].map(
      (each) => nameOf(each),
    ),
    nameOf(blueSecurity.replace("blue", "BLUE")),
    nameOf(blueSecurity.replaceAll("/", "%2F")),
    nameOf(`${redSecurity}\u0000${blueSecurity}`),
    `${nameOf(redSecurity)}/../../${blueSecurity}`,
    ...["", "wasmext", "wasmext/", "*", "wasmext/*", ofBlue, blueSecurity, ext(secret)],
  ];
  client.subscribe(nameOf(missing), nameOf(redSecurity), ...names);
  const [denied, own] = [await answerFor(client, nameOf(missing)), nameOf(redSecurity)];
  expect(await answerFor(client, nameOf(blueSecurity))).toBe(denied);
  expect(await answerFor(client, own)).toContain(ext("shared"));
  for (const name of names) {
    await client.got(name, (received) => received.name === name);
  }
  // The names are what the client has said itself.
  const heard = client.received
    .map(({ bytes, name }) => bytes.toString("latin1").replaceAll(name, ""))
    .join();
  expect(heard).not.toContain(secret);
  expect(heard).not.toContain(sha256(blueModule.bytes));
  expect(await serving.logged(`"red-1" gets nothing for`)).toContain("may not read it");

  // A change of the other tenant's is no news.
  const before = client.received.length;
  await serving.attach(blueSecurity, [{ fqn: ext(secret), config: { changed: secret } }]);
  await serving.attach(redSecurity, [{ fqn: ext("shared"), config: { name: "news" } }]);
  await client.got("the news", ({ bytes }) => bytes.includes("news"));
  expect(client.received.slice(before).map(({ name }) => name)).toEqual([own]);
});

test("its address of modules has those of its own slots, for as long as it is connected", async () => {
  const slot = `wasmext/all/outbound/${redSecurity}`;
  const blueSlot = `wasmext/all/outbound/${blueSecurity}`;
  using blueClient = open(blueToken, "blue-1");
  blueClient.subscribe(blueSlot);
  await blueClient.got("its chain", ({ bytes }) => bytes.includes("/modules/"));
  const client = open(redToken, "red-2");
  client.subscribe(slot);
  const { bytes } = await client.got("its chain", (received) =>
    received.bytes.includes("/modules/"),
  );
  const [path = "", address = ""] =
    /(\/modules\/[\w-]{20,}\/)[0-9a-f]{64}/.exec(bytes.toString("latin1")) ?? [];
  const get = async (which: string, init?: RequestInit): Promise<number> => {
    const response = await fetch(`${serving.url}${which}`, init);
    await response.arrayBuffer();
    return response.status;
  };
  const ofOther = `${address}${sha256(blueModule.bytes)}`;
  const withToken = { headers: { authorization: `Bearer ${redToken}` } };
  expect(path).toContain(common.sha256);
  expect(await get(path)).toBe(200);
  const unheard = [
    ofOther,
    `/modules/${sha256(blueModule.bytes)}`,
    `/modules//${sha256(blueModule.bytes)}`,
    `/modules/${"A".repeat(22)}/${sha256(blueModule.bytes)}`,
    `${address}../${sha256(blueModule.bytes)}`,
    `${path}/`,
    `${path}x`,
    path.toUpperCase(),
    address,
    "/modules/",
  ];
  const statuses = await Promise.all(unheard.flatMap((each) => [get(each), get(each, withToken)]));
  expect(new Set(statuses)).toEqual(new Set([404]));
  client[Symbol.dispose]();
  await expect.poll(() => get(path)).toBe(404);
});

test.each([[[]], [["--atomic"]]])(
  "an Envoy without a grant for its target denies (%j)",
  async (options) => {
    const more = { upstream, options: ["--listener", "outbound", "--token", redToken, ...options] };
    await using proxy = await startProxy(serving, blueSecurity, more);
    expect(await proxy.send()).toMatchObject({ status: 503 });
    expect(await proxy.envoy.admin("config_dump")).not.toContain(secret);
    const { proxies } = await serving.clientsOf(redToken).proxies.listProxies({ parent: red });
    expect(proxies).toEqual([]);
    // Its target has no proxies that run anything.
    const { status } = await serving.clients.proxies.getStatus({ fqn: blueSecurity });
    expect(status).toMatchObject({ proxies: 0 });
  },
);

test("an Envoy runs what its token may read, and an Envoy without one is not served", async () => {
  const options = ["--listener", "outbound"];
  await using own = await startProxy(serving, redSecurity, {
    upstream,
    options: [...options, "--token", redToken],
  });
  await serving.attach(redSecurity, [{ fqn: ext("shared") }]);
  await own.runs("shared");
  await using none = await startProxy(serving, redSecurity, { upstream, options });
  await none.envoy.logged("DeltaAggregatedResources gRPC config stream to wasmext closed");
  expect(await none.envoy.state()).toBe("INITIALIZING");
});
