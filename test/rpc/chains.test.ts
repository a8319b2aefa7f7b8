import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  WasmExtension_PluginPhase as Phase,
  WasmExtension_PullPolicy as PullPolicy,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { type Chain, ConfigSource, ExclusionReason } from "../../gen/wasmext/v1/chain_pb.ts";
import { type Acme, createAcme, ext, redIngress, redSecurity } from "../support/acme.ts";
import { refused } from "../support/errors.ts";

const { CLIENT, SERVER, CLIENT_AND_SERVER } = Mode;

async function chainOf(
  { chains }: Acme,
  target: string,
  traffic: { mode?: Mode; port?: number } = {},
): Promise<Chain> {
  const { chain } = await chains.resolveChain({ target, ...traffic });
  if (chain === undefined) {
    throw new Error("a response without a chain");
  }
  return chain;
}

const names = ({ links }: Chain): string[] =>
  links.map(({ fqn, position }) => `${fqn.split("/").at(-1) ?? ""}#${position}`);

describe("ResolveChain", () => {
  test("orders by phase, priority, fqn and position, whatever the order of the set", async () => {
    const catalog = createAcme();
    await catalog.put("end");
    await catalog.put("stats", { phase: Phase.STATS });
    await catalog.put("authz-low", { phase: Phase.AUTHZ, priority: -1 });
    await catalog.put("authz-b", { phase: Phase.AUTHZ });
    await catalog.put("authz-a", { phase: Phase.AUTHZ });
    await catalog.put("authn", { phase: Phase.AUTHN, priority: -2147483648 });
    const set = ["end", "authz-b", "stats", "authz-low", "authz-a", "authn", "authz-b"];
    await catalog.attach(
      redSecurity,
      set.map((name) => ({ fqn: ext(name) })),
    );
    expect(names(await chainOf(catalog, redSecurity))).toEqual([
      "authn#5",
      "authz-a#4",
      "authz-b#1",
      "authz-b#6",
      "authz-low#3",
      "stats#2",
      "end#0",
    ]);
  });

  test("a link is the extension as it takes effect", async () => {
    const catalog = createAcme();
    const vmConfig = { env: [{ name: "A", value: "1" }] };
    await catalog.put("a", {
      url: "oci://ghcr.io/acme/a",
      phase: Phase.AUTHN,
      priority: 7,
      imagePullSecret: "s",
      vmConfig,
      config: { own: true },
      match: { mode: CLIENT },
    });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    const { links, revision } = await chainOf(catalog, redIngress);
    expect(revision).toBe(catalog.reader.state.revision);
    expect(links).toMatchObject([
      {
        fqn: ext("a"),
        phase: Phase.AUTHN,
        priority: 7,
        url: "oci://ghcr.io/acme/a",
        imagePullPolicy: PullPolicy.Always,
        imagePullSecret: "s",
        vmConfig,
        config: { own: true },
        configSource: ConfigSource.EXTENSION,
        match: [{ mode: CLIENT, ports: [] }],
      },
    ]);
  });

  test.each([
    ["extension", { own: 1 }, undefined, { own: 1 }, ConfigSource.EXTENSION],
    ["attachment, as a whole", { own: 1 }, { b: 2 }, { b: 2 }, ConfigSource.ATTACHMENT],
    ["attachment, also empty", { own: 1 }, {}, {}, ConfigSource.ATTACHMENT],
    ["attachment, where there is no other", undefined, { b: 2 }, { b: 2 }, ConfigSource.ATTACHMENT],
    ["nowhere", undefined, undefined, undefined, ConfigSource.UNSPECIFIED],
  ])("config comes from the %s", async (_from, own, attached, config, source) => {
    const catalog = createAcme();
    await catalog.put("a", own && { config: own });
    await catalog.attach(redIngress, [{ fqn: ext("a"), ...(attached && { config: attached }) }]);
    const [link] = (await chainOf(catalog, redIngress)).links;
    expect(link?.config).toEqual(config);
    expect(link?.configSource).toBe(source);
  });

  test.each([
    ["neither has one", undefined, [], [{ mode: CLIENT_AND_SERVER, ports: [] }]],
    ["the mode is unset", {}, [], [{ mode: CLIENT_AND_SERVER, ports: [] }]],
    ["the extension has one", { mode: SERVER }, [], [{ mode: SERVER, ports: [] }]],
    [
      "the attachment has some",
      { mode: SERVER },
      [{ mode: CLIENT }, { ports: [{ number: 80 }] }],
      [
        { mode: CLIENT, ports: [] },
        { mode: CLIENT_AND_SERVER, ports: [{ number: 80 }] },
      ],
    ],
  ])("match, where %s", async (_where, own, attached, expected) => {
    const catalog = createAcme();
    await catalog.put("a", own && { match: own });
    await catalog.attach(redSecurity, [{ fqn: ext("a"), match: attached }]);
    expect((await chainOf(catalog, redSecurity)).links[0]?.match).toMatchObject(expected);
  });

  const digest = `sha256:${"a".repeat(64)}`;
  test.each([
    ["oci://x", PullPolicy.UNSPECIFIED_POLICY, PullPolicy.Always],
    ["oci://x:latest", PullPolicy.UNSPECIFIED_POLICY, PullPolicy.Always],
    ["oci://x:latest", PullPolicy.IfNotPresent, PullPolicy.IfNotPresent],
    ["oci://x:1", PullPolicy.UNSPECIFIED_POLICY, PullPolicy.IfNotPresent],
    ["oci://x:1", PullPolicy.Always, PullPolicy.Always],
    ["oci://localhost:5000/x", PullPolicy.UNSPECIFIED_POLICY, PullPolicy.Always],
    [`oci://x@${digest}`, PullPolicy.Always, PullPolicy.IfNotPresent],
    [`oci://x:latest@${digest}`, PullPolicy.UNSPECIFIED_POLICY, PullPolicy.IfNotPresent],
    ["https://x.io/latest", PullPolicy.UNSPECIFIED_POLICY, PullPolicy.IfNotPresent],
    ["file:///x:latest", PullPolicy.UNSPECIFIED_POLICY, PullPolicy.IfNotPresent],
    ["https://x.io/x.wasm", PullPolicy.Always, PullPolicy.Always],
  ])("%s with policy %s is pulled with %s", async (from, imagePullPolicy, expected) => {
    const catalog = createAcme();
    await catalog.put("a", { url: from, imagePullPolicy });
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    expect((await chainOf(catalog, redIngress)).links[0]?.imagePullPolicy).toBe(expected);
  });

  test("a target without attachments has an empty chain", async () => {
    expect(await chainOf(createAcme(), redIngress)).toMatchObject({
      target: redIngress,
      links: [],
      excluded: [],
    });
  });

  test("on a gateway, an extension for SERVER alone is left out, with the reason", async () => {
    const catalog = createAcme();
    await catalog.put("server", { match: { mode: SERVER } });
    await catalog.put("both");
    const extension = [
      { fqn: ext("both") },
      { fqn: ext("server") },
      { fqn: ext("server"), match: [{ mode: CLIENT }] },
    ];
    await catalog.attach(redIngress, extension);
    await catalog.attach(redSecurity, extension);
    const onGateway = await chainOf(catalog, redIngress);
    expect(names(onGateway)).toEqual(["both#0", "server#2"]);
    expect(onGateway.excluded).toMatchObject([
      { fqn: ext("server"), position: 1, reason: ExclusionReason.SERVER_MODE_ON_GATEWAY },
    ]);
    expect(onGateway.excluded[0]?.message).toMatch(
      /^organizations\/acme\/extensions\/server .*\.$/,
    );
    expect(names(await chainOf(catalog, redSecurity))).toHaveLength(3);
  });

  test("keeps the links that the asked traffic passes, and names the others", async () => {
    const catalog = createAcme();
    await catalog.put("all");
    await catalog.put("client", { match: { mode: CLIENT } });
    await catalog.put("web");
    await catalog.attach(redSecurity, [
      { fqn: ext("all") },
      { fqn: ext("client") },
      {
        fqn: ext("web"),
        match: [
          { mode: SERVER, ports: [{ number: 80 }, { number: 443 }] },
          { mode: CLIENT, ports: [{ number: 8080 }] },
        ],
      },
    ]);
    for (const [traffic, expected] of [
      [{}, ["all", "client", "web"]],
      [{ mode: CLIENT_AND_SERVER }, ["all", "client", "web"]],
      [{ mode: CLIENT }, ["all", "client", "web"]],
      [{ mode: SERVER }, ["all", "web"]],
      [{ port: 443 }, ["all", "client", "web"]],
      [{ port: 22 }, ["all", "client"]],
      [{ mode: CLIENT, port: 443 }, ["all", "client"]],
      [{ mode: CLIENT, port: 8080 }, ["all", "client", "web"]],
      [{ mode: SERVER, port: 8080 }, ["all"]],
    ] as const) {
      const { links, excluded } = await chainOf(catalog, redSecurity, traffic);
      expect(links.map(({ fqn }) => fqn)).toEqual(expected.map(ext));
      expect(excluded).toHaveLength(3 - expected.length);
      for (const { reason } of excluded) {
        expect(reason).toBe(ExclusionReason.TRAFFIC_NOT_SELECTED);
      }
    }
  });

  test("no traffic of the mode SERVER passes a gateway", async () => {
    const catalog = createAcme();
    await catalog.put("all");
    await catalog.attach(redIngress, [{ fqn: ext("all") }]);
    const { links, excluded } = await chainOf(catalog, redIngress, { mode: SERVER });
    expect(links).toEqual([]);
    expect(excluded[0]?.message).toContain("SERVER");
  });

  test.each([
    ["target", { target: "organizations/acme" }],
    ["mode", { target: redIngress, mode: 4 as never }],
    ["port", { target: redIngress, port: 65536 }],
  ])("refuses a wrong %s", async (field, request) => {
    const said = await refused(createAcme().chains.resolveChain(request));
    expect(said).toMatchObject({ code: Code.InvalidArgument, fields: [field] });
  });

  test("a chain that holds more than 16 MiB is refused, however small its set", async () => {
    const catalog = createAcme();
    await catalog.put("large", { config: { text: "x".repeat(100_000) } });
    await catalog.attach(redSecurity, Array(200).fill({ fqn: ext("large") }));
    const said = await refused(catalog.chains.resolveChain({ target: redSecurity }));
    expect(said).toMatchObject({
      code: Code.ResourceExhausted,
      reason: "CHAIN_TOO_LARGE",
      metadata: { target: redSecurity },
    });
  });
});
