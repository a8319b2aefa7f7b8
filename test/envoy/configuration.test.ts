/* A plugin gets its configuration as JSON, as the API itself writes it, and its environment. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  EnvValueSource as From,
  WasmExtension_PluginPhase as Phase,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { ext, redIngress } from "../support/acme.ts";
import { answerBytes, serve, type TestServer } from "../modules/support/registry.ts";
import { testModule } from "./support/module.ts";
import { type Proxy, startProxy } from "./support/proxy.ts";
import { type Serving, startServing } from "./support/serving.ts";
import { startUpstream } from "./support/upstream.ts";

type Config = NonNullable<Parameters<Serving["put"]>[1]["config"]>;

const { bytes: chainWasm } = await testModule();

let serving: Serving;
let files: TestServer;
let url: string;
let proxy: Proxy;

beforeAll(async () => {
  const upstream = await startUpstream();
  files = await serve(answerBytes(chainWasm));
  serving = await startServing();
  url = `http://${files.host}/chain.wasm`;
  const environment = { OF_ENVOY: "of Envoy, ü", EMPTY: "" };
  proxy = await startProxy(serving, redIngress, { upstream, environment, options: ["--atomic"] });
  return async () => {
    await proxy[Symbol.asyncDispose]();
    await serving[Symbol.asyncDispose]();
    await files[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  };
});

let count = 0;

/** A text that no configuration had before. */
const newMarker = (): string => `marker-${++count}!`;

/** What a plugin was configured with: the module logs it. */
async function configured(marker: string): Promise<string> {
  const line = await proxy.envoy.logged(marker);
  return line.slice(line.indexOf("{"));
}

/** The answer of ResolveChain in JSON, as bytes of the wire. */
async function chainInJson(): Promise<string> {
  const response = await fetch(`${serving.url}/wasmext.v1.ChainService/ResolveChain`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ target: redIngress }),
  });
  return response.text();
}

/** Sends a body as it is, in JSON. */
async function call(method: string, body: string): Promise<void> {
  const response = await fetch(`${serving.url}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  expect(response.status, await response.text()).toBe(200);
}

describe("a configuration arrives byte for byte as the API writes it in JSON", () => {
  const deep = (levels: number): Config => (levels === 0 ? {} : { n: deep(levels - 1), l: [[]] });
  const values: readonly (readonly [string, Config])[] = [
    [
      "of each kind",
      { n: null, t: true, f: false, s: "", z: 0, l: [], o: {}, m: [1, "a", [null]] },
    ],
    [
      "of Unicode",
      { "ключ 🔑": "ü € 𝄞 \u2028\u2029 \ufeff", "\u0000": "\u0001\u007f\u0085\ud7ff\ue000\uffff" },
    ],
    ["of escapes", { '"': '\\"/\b\f\n\r\t', "</script>": "<&>'`", s: "%s %n {} ${a}" }],
    [
      "of large and small numbers",
      { a: [1e21, 1e-7, 2 ** 53, 2 ** 53 - 1, 5e-324, 1.7976931348623157e308] },
    ],
    ["of negative numbers", { a: [-1, -0.1, -1e300, 0.1 + 0.2, 123456789012345680000] }],
    ["of deep nesting", deep(25)],
    [
      "of names of JavaScript",
      { constructor: { prototype: 1 }, toString: "x", hasOwnProperty: [] },
    ],
    ["of empty names and blanks", { "": { "": "" }, " ": " " }],
    ["of 1 MiB", { name: "big", text: "ü".repeat(512 * 1024) }],
    ["of many keys", Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, i]))],
  ];

  test.each(values)("%s", async (_, value) => {
    const marker = newMarker();
    const config = { marker, ...value };
    await serving.put("a", { url, config });
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    const text = await configured(marker);
    expect(JSON.parse(text)).toEqual(config);
    expect(await chainInJson()).toContain(`"config":${text},`);
  });

  test("of names that JavaScript gives a meaning", async () => {
    const marker = newMarker();
    const config = `{"marker":"${marker}","__proto__":{"__proto__":1,"a":[{"__proto__":null}]}}`;
    const { extension } = { extension: `{"fqn":"${ext("a")}","config":${config}}` };
    await serving.put("a", { url });
    const present = await serving.clients.attachments.getAttachments({ fqn: redIngress });
    const etag = JSON.stringify(present.attachmentSet?.etag);
    const set = `{"fqn":"${redIngress}","extension":[${extension}],"etag":${etag}}`;
    await call("wasmext.v1.AttachmentService/SetAttachments", `{"attachmentSet":${set}}`);
    expect(await configured(marker)).toBe(config);
    expect(await chainInJson()).toContain(`"config":${config},`);
  });

  test("whatever it is", async () => {
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    const anyText = fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.toWellFormed());
    const anyConfig = fc.dictionary(
      anyText,
      fc.jsonValue({ stringUnit: "binary", maxDepth: 3, noUnicodeString: false }),
      { maxKeys: 5 },
    );
    await fc.assert(
      fc.asyncProperty(anyConfig, async (value) => {
        const marker = newMarker();
        const config = JSON.stringify({ ...value, marker }).toWellFormed();
        fc.pre(!config.includes("\ufffd"));
        await serving.put("a", { url, config: JSON.parse(config) as Config });
        const text = await configured(marker);
        expect(JSON.parse(text)).toEqual(JSON.parse(config));
        expect(await chainInJson()).toContain(`"config":${text},`);
      }),
      { numRuns: 20 },
    );
  });
});

describe("what an attachment overrides", () => {
  const own = { name: "a", echo: true, kept: "no" };

  /** Waits for a plugin that echoes the text of its configuration. */
  const echoes = (text: string | undefined) =>
    proxy.answers(`the configuration ${text ?? "that is absent"}`, ({ headers }) => {
      const header = headers["x-config"] as string | undefined;
      return header === text;
    });

  test("replaces the whole configuration", async () => {
    await serving.put("a", { url, config: own });
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    await echoes(JSON.stringify(own));
    const config = { echo: true, other: 1 };
    await serving.attach(redIngress, [{ fqn: ext("a"), config }]);
    await echoes(JSON.stringify(config));
    // Each attachment has its own.
    await serving.attach(redIngress, [{ fqn: ext("a"), config }, { fqn: ext("a") }]);
    await echoes([own, config].map((each) => JSON.stringify(each)).join(", "));
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    await echoes(JSON.stringify(own));
  });

  test("is nothing where it is absent, and {} where it is {}", async () => {
    await serving.put("a", { url, config: { name: "begins", marker: newMarker() } });
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    await proxy.runs("begins");
    const lengths = () =>
      proxy.envoy.log.flatMap((line) => {
        const [, text] = /wasm log [^:]*\/extensions\/a: ?(.*)$/.exec(line) ?? [];
        return text === undefined ? [] : [text];
      });
    const before = lengths().length;
    expect(before).toBeGreaterThan(0);
    await serving.attach(redIngress, [{ fqn: ext("a"), config: {} }]);
    await proxy.runs();
    expect(new Set(lengths().slice(before))).toEqual(new Set(["{}"]));
    const then = lengths().length;
    await serving.put("a", { url });
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    await expect.poll(() => lengths().length).toBeGreaterThan(then);
    expect(new Set(lengths().slice(then))).toEqual(new Set([""]));
  });
});

describe("the environment", () => {
  /** Resolves with the variables that the plugin sees, when there is one of a name. */
  const environment = async (name: string): Promise<string[]> => {
    const { headers } = await proxy.answers(
      `the variable ${name}`,
      ({ headers: { "x-env": seen } }) => ` ${String(seen)}`.includes(` ${name}=`),
    );
    const text = Buffer.from(headers["x-env"] as string, "latin1").toString();
    return text
      .trim()
      .split(/ (?=[A-Za-z_]+=)/)
      .toSorted();
  };
  const config = { name: "a", echo: true };

  test("has values of the extension, and of Envoy", async () => {
    const env = [
      { name: "INLINE", valueFrom: From.INLINE, value: "a = b; ü" },
      { name: "__proto__", valueFrom: From.INLINE, value: "p" },
      { name: "OF_ENVOY", valueFrom: From.HOST },
      { name: "EMPTY", valueFrom: From.HOST },
      { name: "MISSING", valueFrom: From.HOST },
      { name: "UNSAID", value: "inline by default" },
    ];
    await serving.put("a", { url, config, vmConfig: { env } });
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    expect(await environment("INLINE")).toEqual([
      "EMPTY=",
      "INLINE=a = b; ü",
      "OF_ENVOY=of Envoy, ü",
      "UNSAID=inline by default",
      "__proto__=p",
    ]);
  });

  test("has no value of the extension where the host's is meant", async () => {
    const env = [{ name: "OF_ENVOY", valueFrom: From.HOST, value: "not this" }];
    await serving.put("a", { url, config, vmConfig: { env: [...env, { name: "N", value: "2" }] } });
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    expect(await environment("N")).toEqual(["N=2", "OF_ENVOY=of Envoy, ü"]);
  });

  test("changes without the configuration", async () => {
    const vmConfig = (value: string) => ({ env: [{ name: "V", value }] });
    await serving.put("a", { url, config, vmConfig: vmConfig("1") });
    await serving.attach(redIngress, [{ fqn: ext("a") }]);
    expect(await environment("V")).toEqual(["V=1"]);
    await serving.put("a", { url, config, vmConfig: vmConfig("2") });
    await proxy.answers("the change", ({ headers }) => String(headers["x-env"]).includes("V=2"));
  });

  test("is each plugin's own", async () => {
    const of = (name: string) => ({ env: [{ name, value: name }] });
    await serving.put("a", { url, config, phase: Phase.AUTHN, vmConfig: of("A") });
    await serving.put("b", { url, config, phase: Phase.STATS, vmConfig: of("B") });
    await serving.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }]);
    const { headers } = await proxy.answers(
      "both",
      ({ responseChain }) => responseChain.length === 2,
    );
    expect(headers["x-env"]).toBe("B=B, A=A");
  });
});
