import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { PreconditionFailureSchema } from "../../gen/google/rpc/error_details_pb.ts";
import {
  EnvValueSource,
  WasmExtension_PluginPhase as Phase,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadMode as Mode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { WasmPluginSchema } from "../../gen/wasmext/v1/wasm_plugin_pb.ts";
import { problemsOfPlugin } from "../../src/export/istio/limits.ts";
import {
  acme,
  type Acme,
  blue,
  blueSecurity,
  createAcme,
  ext,
  red,
  redEgress,
  redIngress,
  redSecurity,
  url,
} from "../support/acme.ts";
import { refused, said } from "../support/errors.ts";
import { type Manifest, manifestOf, objections } from "../support/istio.ts";

const workloads = { namespace: "ns", labels: { app: "in" } };

async function exported({ exports }: Acme, parent: string): Promise<Manifest[]> {
  const { wasmPlugins } = await exports.exportIstio({ parent });
  return wasmPlugins.map(manifestOf);
}

/** What stands in the way of an export, as `SUBJECT: DESCRIPTION`. */
async function inTheWay({ exports }: Acme, parent: string): Promise<string[]> {
  const error = await exports.exportIstio({ parent }).then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  );
  if (error === undefined) {
    return [];
  }
  expect(said(error)).toMatchObject({
    code: Code.FailedPrecondition,
    reason: "NOT_EXPORTABLE_TO_ISTIO",
  });
  const [failure] = error.findDetails(PreconditionFailureSchema);
  return (failure?.violations ?? []).map(
    ({ subject, description }) => `${subject}: ${description}`,
  );
}

describe("ExportIstio", () => {
  test("writes one object a link, with all that takes effect", async () => {
    const catalog = createAcme();
    await catalog.put("auth", {
      url: "oci://ghcr.io/acme/auth:1.0",
      phase: Phase.AUTHZ,
      priority: 7,
      imagePullSecret: "pull",
      config: { own: true },
      vmConfig: {
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "x", valueFrom: EnvValueSource.HOST },
        ],
      },
    });
    await catalog.put("plain");
    await catalog.attach(
      redIngress,
      [
        { fqn: ext("plain") },
        {
          fqn: ext("auth"),
          config: { here: 1 },
          match: [{ mode: Mode.CLIENT, ports: [{ number: 80 }, { number: 443 }, { number: 80 }] }],
        },
      ],
      workloads,
    );
    const labels = {
      "app.kubernetes.io/managed-by": "wasmext",
      "wasmext.dev/organization": "acme",
      "wasmext.dev/tenant": "red",
      "wasmext.dev/workspace": "w",
      "wasmext.dev/gatewaygroup": "g",
      "wasmext.dev/ingressgateway": "in",
    };
    const [auth, plain] = await exported(catalog, redIngress);
    const name = auth?.metadata.name ?? "";
    expect(name).toMatch(/^in-auth0-[0-9a-f]{10}$/);
    expect(auth).toEqual({
      apiVersion: "extensions.istio.io/v1alpha1",
      kind: "WasmPlugin",
      metadata: {
        name,
        namespace: "ns",
        labels,
        annotations: { "wasmext.dev/target": redIngress, "wasmext.dev/extension": ext("auth") },
      },
      spec: {
        selector: { matchLabels: { app: "in" } },
        url: "oci://ghcr.io/acme/auth:1.0",
        imagePullPolicy: "IfNotPresent",
        imagePullSecret: "pull",
        pluginConfig: { here: 1 },
        phase: "AUTHZ",
        priority: 7,
        vmConfig: {
          env: [
            { name: "A", value: "1" },
            { name: "B", valueFrom: "HOST" },
          ],
        },
        match: [{ mode: "CLIENT", ports: [{ number: 80 }, { number: 443 }] }],
      },
    });
    expect(plain?.spec).toEqual({
      selector: { matchLabels: { app: "in" } },
      url: "oci://ghcr.io/acme/x:1.0",
      imagePullPolicy: "IfNotPresent",
      priority: 0,
      match: [{ mode: "CLIENT_AND_SERVER" }],
    });
    expect([auth, plain].flatMap((manifest) => manifest && objections(manifest))).toEqual([]);
  });

  test("leaves out what the chain leaves out, and a selector without labels", async () => {
    const catalog = createAcme();
    await catalog.put("server", { match: { mode: Mode.SERVER } });
    await catalog.put("both");
    const attachments = [{ fqn: ext("server") }, { fqn: ext("both") }];
    await catalog.attach(redIngress, attachments, { namespace: "ns" });
    const manifests = await exported(catalog, redIngress);
    expect(manifests.map(({ metadata }) => metadata.annotations["wasmext.dev/extension"])).toEqual([
      ext("both"),
    ]);
    expect(manifests[0]?.spec).not.toHaveProperty("selector");
    expect(manifests.flatMap(objections)).toEqual([]);
  });

  test("keeps the extension's own priority where it had to write another", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    await catalog.put("b");
    await catalog.attach(redIngress, [{ fqn: ext("b") }, { fqn: ext("a") }], workloads);
    const manifests = await exported(catalog, redIngress);
    expect(
      manifests.map(({ spec, metadata }) => [
        spec.priority,
        metadata.annotations["wasmext.dev/priority"],
      ]),
    ).toEqual([
      [1, "0"],
      [0, undefined],
    ]);
  });

  test("an extension has one priority in all targets of a namespace, whatever is exported", async () => {
    const catalog = createAcme();
    for (const [name, priority] of Object.entries({ a: 0, b: 0, c: 0, d: 1 })) {
      await catalog.put(name, { priority });
    }
    const attach = (target: string, names: string, namespace: string) =>
      catalog.attach(
        target,
        Array.from(names, (name) => ({ fqn: ext(name) })),
        { namespace },
      );
    await attach(redIngress, "abc", "ns");
    await attach(redEgress, "ca", "ns");
    await attach(redSecurity, "d", "ns");
    await attach(`${redSecurity}-2`, "ab", "other");
    await attach(blueSecurity, "ac", "ns");
    const written = async (parent: string): Promise<string[]> =>
      (await exported(catalog, parent)).map(
        ({ metadata, spec }) =>
          `${metadata.annotations["wasmext.dev/extension"]?.at(-1) ?? ""}${spec.priority ?? ""}`,
      );
    expect(await written(redIngress)).toEqual(["a2", "b1", "c0"]);
    expect(await written(redEgress)).toEqual(["a2", "c0"]);
    expect(await written(redSecurity)).toEqual(["d3"]);
    expect(await written(blueSecurity)).toEqual(["a1", "c0"]);
    expect(await written(`${redSecurity}-2`)).toEqual(["a1", "b0"]);
    expect(await written(acme)).toEqual(
      (
        await Promise.all(
          [blueSecurity, redEgress, redIngress, redSecurity, `${redSecurity}-2`].map(written),
        )
      ).flat(),
    );
  });

  test("takes a target, or all targets under a parent", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    for (const target of [redIngress, redEgress, redSecurity, blueSecurity]) {
      await catalog.attach(target, [{ fqn: ext("a") }], workloads);
    }
    const targets = async (parent: string): Promise<string[]> =>
      (await exported(catalog, parent)).map(
        ({ metadata }) => metadata.annotations["wasmext.dev/target"] ?? "",
      );
    const ofRed = [redEgress, redIngress, redSecurity];
    expect(await targets(redIngress)).toEqual([redIngress]);
    expect(await targets(redSecurity)).toEqual([redSecurity]);
    expect(await targets(`${red}/workspaces/w/gatewaygroups/g`)).toEqual([redEgress, redIngress]);
    expect(await targets(`${red}/workspaces/w`)).toEqual(ofRed);
    expect(await targets(red)).toEqual(ofRed);
    expect(await targets(acme)).toEqual([blueSecurity, ...ofRed]);
    expect(await targets(`${red}/workspaces/none`)).toEqual([]);
  });

  test("names depend on the attachment alone, and no two are the same", async () => {
    const catalog = createAcme();
    const long = "n".repeat(63);
    for (const name of ["x", "x1", long]) {
      await catalog.put(name);
    }
    const elevenTimes = Array.from({ length: 11 }, () => ({ fqn: ext("x") }));
    const group = (name: string): string =>
      `${red}/workspaces/w/gatewaygroups/${name}/ingressgateways`;
    const targets = [`${group("g")}/in`, `${group("h")}/in`, `${group("g")}/${long}`];
    for (const target of targets) {
      await catalog.attach(
        target,
        [{ fqn: ext("x1") }, ...elevenTimes, { fqn: ext(long) }],
        workloads,
      );
    }
    const all = await exported(catalog, acme);
    const names = all.map(({ metadata }) => metadata.name);
    expect(new Set(names).size).toBe(3 * 13);
    expect(all.flatMap(objections)).toEqual([]);
    const [target = ""] = targets;
    const before = await exported(catalog, target);
    await catalog.attach(target, [{ fqn: ext(long) }, { fqn: ext("x") }], workloads);
    const after = await exported(catalog, target);
    expect(before.map(({ metadata }) => metadata.name)).toEqual(
      expect.arrayContaining(after.map(({ metadata }) => metadata.name)),
    );
  });

  test("a target without attachments needs no namespace", async () => {
    const catalog = createAcme();
    await catalog.attach(redIngress, []);
    expect(await exported(catalog, acme)).toEqual([]);
  });

  test.each([
    ["organizations/acme/extensions/a"],
    [`${redSecurity}/x`],
    [`${blue}/workspaces`],
    [""],
  ])("refuses %j as parent", async (parent) => {
    const { code, fields } = await refused(createAcme().exports.exportIstio({ parent }));
    expect({ code, fields }).toEqual({ code: Code.InvalidArgument, fields: ["parent"] });
  });
});

describe("what Istio cannot hold is named with its object", () => {
  const variables = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `V${index}` }));

  /** A configuration of that many keys, each that long. */
  const keys = (count: number, length: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`k${index}`.padEnd(length, "_"), index]),
    );

  test.each([
    ["257 variables", { vmConfig: { env: variables(257) } }, /vm_config\.env has 257 variables/],
    [
      "a value of 3,000 characters",
      { vmConfig: { env: [{ name: "A" }, { name: "LONG", value: "x".repeat(3000) }] } },
      /vm_config\.env\[1\]\.value, of "LONG", has 3000 characters/,
    ],
    [
      "a variable's name of 257",
      { vmConfig: { env: [{ name: "N".repeat(257) }] } },
      /vm_config\.env\[0\]\.name has 257/,
    ],
    [
      "a secret's name of 254",
      { imagePullSecret: "s".repeat(254) },
      /image_pull_secret "s+…" is not a valid name of a Kubernetes secret/,
    ],
    [
      "a secret that none is called",
      { imagePullSecret: "My Secret" },
      /image_pull_secret "My Secret"/,
    ],
    ["an OCI url of no address", { url: "oci://[abc]/a:1" }, /url "oci:\/\/\[abc\]\/a:1"/],
    [
      "a file of a host",
      { url: "file://localhost/a.wasm" },
      /url "file:\/\/localhost\/a\.wasm" is more than a path/,
    ],
    [
      "a url with a user that Go cannot read",
      { url: "https://a[b@h/x.wasm" },
      /url "https:\/\/…@h\/x\.wasm" cannot be read/,
    ],
    [
      "a url with a fragment that Go cannot read",
      { url: "https://h/x.wasm#%zz" },
      /cannot be read by Istio/,
    ],
    ["an escaped file", { url: "file:///a%20b.wasm" }, /is more than a path/],
    ["an OCI url with a tag and no host", { url: "oci://nginx:1.0" }, /url "oci:\/\/nginx:1\.0"/],
    ["a url that Go cannot read", { url: "https://h/%zz.wasm" }, /url "https:\/\/h\/%zz\.wasm"/],
    [
      "a digest that is not sha256",
      { url: `oci://ghcr.io/a/b@sha512:${"a".repeat(128)}` },
      /has a digest that is not sha256, and Istio's agent reads no other/,
    ],
    [
      "a repository of one letter",
      { url: "oci://ghcr.io/a:1" },
      /has the repository "a", and Istio/,
    ],
    [
      "a repository of one letter at what Istio takes for a host",
      { url: "oci://my_host.io/b" },
      /"b"/,
    ],
    ["localhost without a port", { url: "oci://localhost/aa" }, /has the host "localhost", which/],
    [
      "a host that Istio takes for none",
      { url: "oci://Registry/aa" },
      /has the host "Registry", which/,
    ],
    [
      "an object beyond what etcd takes",
      { config: { text: "\u0001".repeat(300_000) } },
      /makes an object of 18\d{5} bytes in Kubernetes/,
    ],
    [
      "keys of 840 KB in all, which are stored twice",
      { config: keys(19_000, 44) },
      /makes an object of 19\d{5} bytes in Kubernetes, 9\d{5} of them for the names of its fields.*; shorten config, or give it fewer keys/,
    ],
    [
      "what Go writes as an escape of six bytes",
      { config: { html: "<".repeat(262_000) } },
      /makes an object of 157\d{4} bytes in Kubernetes/,
    ],
    [
      "a control character in a value",
      { config: { "a b": [{ c: "x\u007f" }] } },
      /config\["a b"\]\[0\]\.c holds U\+007F, which Kubernetes does not read/,
    ],
    ["a line break that becomes a space", { config: { a: "x\u0085y" } }, /config\.a holds U\+0085/],
    ["a noncharacter", { config: { a: "\uffff" } }, /config\.a holds U\+FFFF/],
    [
      "a noncharacter in a key",
      { config: { a: { "x\ufffe": 1 } } },
      /config\.a has the key "x\\ufffe" with U\+FFFE/,
    ],
    [
      "a separator of lines in a key",
      { config: { "\u2028": 1 } },
      /config has the key "\\u2028" with U\+2028/,
    ],
    ["a separator of paragraphs in a key", { config: { "\u2029": 1 } }, /with U\+2029/],
    [
      "a key of 1,023 characters",
      { config: { ["k".repeat(1023)]: 1 } },
      /of 1025 characters in JSON/,
    ],
    [
      "a key that escapes make longer",
      { config: { ["<".repeat(171)]: 1 } },
      /has the key "<+…", of 1028 characters in JSON, and Kubernetes reads 1024/,
    ],
    [
      "a control character in a variable",
      { vmConfig: { env: [{ name: "A" }, { name: "B", value: "\u009f" }] } },
      /vm_config\.env\[1\]\.value holds U\+009F/,
    ],
    ["a noncharacter in a url", { url: "https://h/\ufffe.wasm" }, /: url holds U\+FFFE/],
  ])("%s", async (_what, body, problem) => {
    const catalog = createAcme();
    await catalog.put("a", body);
    await catalog.attach(redIngress, [{ fqn: ext("a") }], workloads);
    const problems = await inTheWay(catalog, redIngress);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
    expect(problems[0]).toMatch(new RegExp(`^${ext("a")}: `));
  });

  test.each([
    ["256 variables", { vmConfig: { env: variables(256) } }],
    [
      "a value of 2,048 characters",
      { vmConfig: { env: [{ name: "A", value: "😀".repeat(2048) }] } },
    ],
    ["a name of 256", { vmConfig: { env: [{ name: "N".repeat(256) }] } }],
    [
      "a long value from HOST",
      {
        vmConfig: { env: [{ name: "A", valueFrom: EnvValueSource.HOST, value: "x".repeat(3000) }] },
      },
    ],
    ["a secret's name of 253", { imagePullSecret: "s".repeat(253) }],
    ["an OCI url with a digest", { url: `oci://ghcr.io/a/b@sha256:${"a".repeat(64)}` }],
    ["an OCI url with a port", { url: "oci://localhost:5000/aa:1" }],
    ["an OCI url with a host in capitals and a dot", { url: "oci://Ghcr.io/aa:1" }],
    ["an OCI url of one letter in two segments", { url: "oci://a/b:1" }],
    ["a separator of lines in a value", { config: { a: "\u2028\u2029" } }],
    ["control characters that JSON escapes", { config: { "\0\n": "\0\u001f" } }],
    ["a key of 1,022 characters", { config: { ["k".repeat(1022)]: 1 } }],
    ["keys of 600 KB", { config: keys(19_000, 32) }],
    ["an OCI url of two segments", { url: "oci://example/a:1" }],
    ["a url with a user and a query", { url: "https://me:pass@h:8443/a%20b.wasm?x=%zz" }],
    ["an escaped host", { url: "http://%E4%BD%A0.example/a.wasm" }],
    ["an IPv6 host", { url: "http://[::1]:80/a.wasm" }],
    ["a file", { url: "file:///opt/a.wasm" }],
  ])("%s is held", async (_what, body) => {
    const catalog = createAcme();
    await catalog.put("a", body);
    await catalog.attach(redIngress, [{ fqn: ext("a") }], workloads);
    expect(await inTheWay(catalog, redIngress)).toEqual([]);
    expect((await exported(catalog, redIngress)).flatMap(objections)).toEqual([]);
  });

  test.each([
    ["no selector", undefined, /workload_selector\.namespace is not set/],
    ["no namespace", { labels: { app: "x" } }, /workload_selector\.namespace is not set/],
  ])("%s", async (_what, selector, problem) => {
    const catalog = createAcme();
    await catalog.put("a");
    await catalog.put("b");
    await catalog.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }], selector);
    const problems = await inTheWay(catalog, redIngress);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
    expect(problems[0]).toMatch(new RegExp(`^${redIngress}: `));
  });

  test("the sha256 in a url is written in its own field", async () => {
    const catalog = createAcme();
    const sha256 = "0123456789abcdef".repeat(4);
    await catalog.put("a", { url: `https://me@h/a.wasm?x=1#sha256=${sha256}` });
    await catalog.put("b", { url: "https://h/b.wasm#other" });
    await catalog.attach(redIngress, [{ fqn: ext("a") }, { fqn: ext("b") }], workloads);
    const plugins = await exported(catalog, redIngress);
    expect(plugins.map(({ spec }) => spec)).toMatchObject([
      { url: "https://me@h/a.wasm?x=1", sha256, imagePullPolicy: "IfNotPresent" },
      { url: "https://h/b.wasm#other" },
    ]);
    expect(plugins[1]?.spec).not.toHaveProperty("sha256");
    expect(plugins.flatMap(objections)).toEqual([]);
  });

  test("a workload selector of an earlier rule is not written", () => {
    const plugin = create(WasmPluginSchema, {
      metadata: { namespace: "ns" },
      spec: { url, selector: { matchLabels: { app: "*" } } },
    });
    const origin = { target: redIngress, extension: ext("a") };
    const config = { subject: ext("a"), field: "config" };
    const size = { manifest: 0, managedFields: 0 };
    expect(problemsOfPlugin(plugin, { ...origin, config, size })).toEqual([
      {
        subject: redIngress,
        description: expect.stringContaining("workload_selector is not one") as string,
      },
    ]);
  });

  test("what is wrong with an attachment's configuration is wrong with its target", async () => {
    const catalog = createAcme();
    await catalog.put("a", { config: { bad: "\uffff" } });
    await catalog.put("b");
    const bad = { fqn: ext("a"), config: { x: "\u0085" } };
    const large = { fqn: ext("b"), config: { x: "x".repeat(1_600_000) } };
    const good = { fqn: ext("a"), config: {} };
    await catalog.attach(redIngress, [good, bad, large], workloads);
    expect(await inTheWay(catalog, redIngress)).toEqual([
      expect.stringContaining(`${redIngress}: extension[1].config.x holds U+0085`),
      expect.stringMatching(/in: makes an object of .*; shorten extension\[2\]\.config/),
    ]);
  });

  test("of a configuration with many bad texts, some are named", async () => {
    const catalog = createAcme();
    await catalog.put("a", { config: { list: Array<string>(5_000).fill("\u0080") } });
    await catalog.attach(redIngress, [{ fqn: ext("a") }], workloads);
    const { metadata } = await refused(catalog.exports.exportIstio({ parent: acme }));
    expect(metadata["violations"]).toBe("20");
  });

  test("labels as Kubernetes has them are held", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const labels = {
      "app.kubernetes.io/name": "web",
      [`${"p".repeat(70)}.example/name`]: "x",
      istio: "ingress_gateway.1",
      empty: "",
    };
    await catalog.attach(redIngress, [{ fqn: ext("a") }], { namespace: "n", labels });
    expect((await exported(catalog, acme))[0]?.spec.selector).toEqual({ matchLabels: labels });
  });

  test("all of it, and nothing is exported", async () => {
    const catalog = createAcme();
    await catalog.put("a", { imagePullSecret: "s".repeat(300) });
    await catalog.put("good");
    await catalog.attach(redIngress, [{ fqn: ext("a") }]);
    await catalog.attach(redSecurity, [{ fqn: ext("good") }], workloads);
    await catalog.attach(redEgress, [{ fqn: ext("a") }, { fqn: ext("a") }], workloads);
    const problems = await inTheWay(catalog, acme);
    expect(problems.map((problem) => problem.split(":")[0])).toEqual([ext("a"), redIngress]);
  });

  test("many problems are counted, and listed as far as a trailer holds", async () => {
    const catalog = createAcme();
    const env = variables(256).map((variable) => ({ ...variable, value: "x".repeat(3000) }));
    await catalog.put("a", { vmConfig: { env } });
    await catalog.attach(redIngress, [{ fqn: ext("a") }], workloads);
    const { metadata, message } = await refused(catalog.exports.exportIstio({ parent: acme }));
    expect(metadata["violations"]).toBe("256");
    expect(message).toContain("(and 255 more)");
    const listed = await inTheWay(catalog, acme);
    expect(listed.length).toBeGreaterThan(3);
    expect(listed.length).toBeLessThan(30);
  });

  test("4,097 labels are too many", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const labels = Object.fromEntries(
      Array.from({ length: 4097 }, (_, index) => [`l${index}`, "x"]),
    );
    await catalog.attach(redIngress, [{ fqn: ext("a") }], { namespace: "n", labels });
    expect(await inTheWay(catalog, redIngress)).toEqual([
      expect.stringContaining("workload_selector.labels has 4097 labels, and Istio holds 4096"),
    ]);
  });

  test("the search for problems ends when there are very many", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    for (let group = 0; group < 1100; group++) {
      await catalog.attach(`${red}/workspaces/w/securitygroups/s${group}`, [{ fqn: ext("a") }]);
    }
    const { metadata } = await refused(catalog.exports.exportIstio({ parent: acme }));
    expect(metadata["violations"]).toBe("1000");
  });

  test("a large export lets other calls be answered in between, and ends with its caller", async () => {
    const catalog = createAcme();
    await catalog.put("a");
    const attachments = Array.from({ length: 1000 }, () => ({ fqn: ext("a") }));
    for (let group = 0; group < 5; group++) {
      await catalog.attach(`${red}/workspaces/w/securitygroups/s${group}`, attachments, workloads);
    }
    const answered: string[] = [];
    await Promise.all([
      catalog.exports.exportIstio({ parent: acme }).then(() => answered.push("export")),
      catalog.extensions.getWasmExtension({ fqn: ext("a") }).then(() => answered.push("get")),
    ]);
    expect(answered).toEqual(["get", "export"]);
    const leaving = new AbortController();
    const call = catalog.exports.exportIstio({ parent: acme }, { signal: leaving.signal });
    leaving.abort();
    await expect(call).rejects.toMatchObject({ code: Code.Canceled });
  });

  test("an export beyond its limit is refused as a whole", async () => {
    const catalog = createAcme();
    await catalog.put("a", { config: { text: "x".repeat(1_000_000) } });
    for (let group = 0; group < 70; group++) {
      const target = `${red}/workspaces/w/securitygroups/s${group}`;
      await catalog.attach(target, [{ fqn: ext("a") }], workloads);
    }
    const { code, reason } = await refused(catalog.exports.exportIstio({ parent: acme }));
    expect({ code, reason }).toEqual({ code: Code.ResourceExhausted, reason: "EXPORT_TOO_LARGE" });
  });
});
