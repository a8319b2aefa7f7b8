import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { type Ran, runCli } from "../support/cli.ts";
import { type Manifest, objections } from "../support/istio.ts";
import {
  seedAttachments,
  seedAuth,
  seedGateway,
  seedHttp,
  seedHttpFqn,
  seedOci,
} from "../support/seed.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const group = "organizations/org/tenants/tenant1/workspaces/w/securitygroups/sg";
const more = `apiVersion: extension.tsb.tetrate.io/v2
kind: WasmExtension
metadata: {organization: org, name: inbound}
spec: {url: "file:///opt/x.wasm", priority: -5, match: {mode: SERVER}}
---
apiVersion: wasmext/v1
kind: AttachmentSet
metadata: {fqn: ${group}}
spec:
  extension:
    - fqn: organizations/org/extensions/inbound
      match: [{mode: SERVER, ports: [{number: 80}, {number: 443}]}, {ports: [{number: 1}]}]
`;

describe("commands that read", () => {
  let server: RunningServer;
  const run = (...parameters: string[]): Promise<Ran> =>
    runCli([...parameters, "--server", server.url]);
  const printed = async (...parameters: string[]): Promise<string> => {
    const { stdout, ...rest } = await run(...parameters);
    expect(rest).toEqual({ exitCode: 0, stderr: "" });
    return stdout;
  };

  beforeAll(async () => {
    server = await startServer();
    const attachments = `${seedAttachments}    - fqn: organizations/org/extensions/inbound\n`;
    const input = [seedOci, seedHttp, more, attachments].join("---\n");
    await runCli(["apply", "-f", "-", "--server", server.url], { input });
  });
  afterAll(() => server.close());

  test("list shows extensions in execution order, and attachments", async () => {
    expect(await printed("list", "organizations/org")).toBe(
      `
PHASE   PRIORITY   EXTENSION                                URL                                             ALLOWED IN
AUTHZ   1000       organizations/org/extensions/wasm-auth   oci://docker.io/example/my-wasm-extension:1.0   tenants/tenant1
AUTHZ   1000       organizations/org/extensions/wasm-http   http://tetrate.io/my-extension.wasm             everywhere
-       -5         organizations/org/extensions/inbound     file:///opt/x.wasm                              everywhere

TARGET                                                                               WORKLOADS         ATTACHES                                 CONFIG      MATCH
organizations/org/tenants/tenant1/workspaces/w/gatewaygroups/g/ingressgateways/web   web app=ingress   organizations/org/extensions/wasm-http   inherited   inherited
                                                                                                       organizations/org/extensions/wasm-auth   own         inherited
                                                                                                       organizations/org/extensions/inbound     inherited   inherited
organizations/org/tenants/tenant1/workspaces/w/securitygroups/sg                     -                 organizations/org/extensions/inbound     inherited   SERVER:80,443 or all:1
`.slice(1),
    );
  });

  test("list of a tenant shows what it may use", async () => {
    const stdout = await printed("list", "organizations/org/tenants/other");
    expect(stdout).toContain(seedHttpFqn);
    expect(stdout).not.toContain(seedAuth);
    expect(stdout).not.toContain("TARGET");
  });

  test.each([
    ["organizations/org/tenants/tenant1/workspaces/w", [seedGateway, group]],
    ["organizations/org/tenants/tenant1/workspaces/w/gatewaygroups/g", [seedGateway]],
    [group, [group]],
  ])("list of %s shows the attachments there", async (parent, targets) => {
    const documents = JSON.parse(await printed("list", parent, "-o", "json")) as {
      metadata: { fqn: string };
    }[];
    expect(documents.map(({ metadata }) => metadata.fqn)).toEqual(targets);
  });

  test("list of what has nothing says so beside the output", async () => {
    expect(await run("list", "organizations/none")).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "There is nothing under organizations/none.\n",
    });
    expect(await printed("list", "organizations/none", "-o", "json")).toBe("[]\n");
  });

  test("get shows objects, alone or several", async () => {
    expect(await printed("get", seedAuth)).toContain("AUTHZ   1000");
    expect(await printed("get", seedAuth, "-o", "yaml")).toBe(seedOci);
    expect(JSON.parse(await printed("get", seedAuth, "-o", "json"))).toMatchObject({
      kind: "WasmExtension",
      metadata: { organization: "org", name: "wasm-auth" },
    });
    expect(await printed("get", seedAuth, seedHttpFqn, "-o", "yaml")).toBe(
      `${seedOci}---\n${seedHttp}`,
    );
    expect(await printed("get", group)).toContain("SERVER:80,443 or all:1");
  });

  test("get of what is not there fails with its name", async () => {
    const fqn = "organizations/org/extensions/none";
    expect(await run("get", seedAuth, fqn)).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `error: ${fqn} does not exist, or the caller may not read it; check the name\n`,
    });
  });

  test("chain shows what runs in order, and below what does not and why", async () => {
    expect(await printed("chain", seedGateway)).toBe(
      `
ORDER   PHASE   PRIORITY   EXTENSION                                URL                                             CONFIG FROM   TRAFFIC   RUNS ON
1       AUTHZ   1000       organizations/org/extensions/wasm-auth   oci://docker.io/example/my-wasm-extension:1.0   attachment    all       -
2       AUTHZ   1000       organizations/org/extensions/wasm-http   http://tetrate.io/my-extension.wasm             extension     all       -

Does not run:
  organizations/org/extensions/inbound gets traffic of the mode SERVER only, and all traffic of a gateway counts as CLIENT.
`.slice(1),
    );
  });

  test("chain asks for traffic", async () => {
    const ofPort = await printed("chain", group, "--mode", "CLIENT", "--port", "80");
    expect(ofPort).toBe(
      `Nothing runs at ${group}.\n\nDoes not run:\n  The match of organizations/org/extensions/inbound does not select traffic of the mode CLIENT to port 80.\n`,
    );
    expect(await printed("chain", group, "--port", "80")).toContain("SERVER:80,443 or all:1");
  });

  test("chain for programs is the answer of the API", async () => {
    const json = JSON.parse(await printed("chain", seedGateway, "-o", "json")) as object;
    expect(json).toMatchObject({
      target: seedGateway,
      links: [{ fqn: seedAuth, configSource: "CONFIG_SOURCE_ATTACHMENT" }, { fqn: seedHttpFqn }],
      excluded: [{ reason: "EXCLUSION_REASON_SERVER_MODE_ON_GATEWAY", position: 2 }],
    });
    const [document] = parseAllDocuments(await printed("chain", seedGateway, "-o", "yaml"));
    expect(document?.toJS()).toEqual(json);
  });

  test("chain of a target without attachments is empty", async () => {
    const target = `${group}-2`;
    expect(await printed("chain", target)).toBe(`Nothing runs at ${target}.\n`);
  });

  test("export istio writes manifests that Istio takes, in YAML and as a list in JSON", async () => {
    const documents = parseAllDocuments(await printed("export", "istio", seedGateway));
    const manifests = documents.map((document) => document.toJS() as Manifest);
    expect(manifests.map(({ spec }) => spec.priority)).toEqual([1001, 1000]);
    expect(manifests.flatMap(objections)).toEqual([]);
    const list = JSON.parse(await printed("export", "istio", seedGateway, "-o", "json")) as object;
    expect(list).toEqual({ apiVersion: "v1", kind: "List", items: manifests });
  });

  test("export istio names what Istio cannot hold, and prints nothing", async () => {
    expect(await run("export", "istio", "organizations/org")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `error: Istio cannot hold organizations/org: ${group}: workload_selector.namespace is not set; set it to the Kubernetes namespace of the workloads\n`,
    });
  });

  test("export istio says how many problems it does not show", async () => {
    const env = Array.from(
      { length: 300 },
      (_, index) => `{name: V${index}, value: ${"x".repeat(2049)}}`,
    );
    const many = `apiVersion: extension.tsb.tetrate.io/v2
kind: WasmExtension
metadata: {organization: many, name: x}
spec: {url: "oci://xx", vmConfig: {env: [${env.join(", ")}]}}
---
apiVersion: wasmext/v1
kind: AttachmentSet
metadata: {fqn: organizations/many/tenants/t/workspaces/w/securitygroups/s}
spec: {extension: [{fqn: organizations/many/extensions/x}]}
`;
    await runCli(["apply", "-f", "-", "--server", server.url], { input: many });
    const { exitCode, stdout, stderr } = await run("export", "istio", "organizations/many");
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    const lines = stderr.trim().split("\n");
    expect(lines.at(-1)).toBe(`error: and ${302 - (lines.length - 1)} more`);
  });

  test("list reads everything, page by page", async () => {
    const documents = Array.from(
      { length: 501 },
      (_, index) => `apiVersion: wasmext/v1
kind: AttachmentSet
metadata: {fqn: organizations/pages/tenants/t/workspaces/w/securitygroups/s${index}}
spec: {}
`,
    );
    await runCli(["apply", "-f", "-", "--server", server.url], { input: documents.join("---\n") });
    const parent = "organizations/pages/tenants/t/workspaces/w";
    expect(JSON.parse(await printed("list", parent, "-o", "json"))).toHaveLength(501);
  });

  test("export istio of nothing is empty, and says so", async () => {
    expect(await run("export", "istio", "organizations/none")).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "Nothing runs under organizations/none.\n",
    });
  });

  test("export yaml of an object writes that one", async () => {
    expect(await printed("export", "yaml", seedAuth)).toBe(seedOci);
    expect(await printed("export", "yaml", seedGateway)).toMatch(
      /^apiVersion: wasmext\/v1\nkind: AttachmentSet\n/,
    );
  });

  test("text that others wrote cannot steer the terminal", async () => {
    const input = seedOci
      .replace("wasm-auth", "evil")
      .replace("organizations/org/tenants/tenant1", '"\\e[31m\\u202e"');
    await runCli(["apply", "-f", "-", "--server", server.url], { input });
    const stdout = await printed("list", "organizations/org");
    expect(stdout).toContain("\\u001b[31m\\u202e");
    expect(stdout).not.toContain("\u001b");
    await run("delete", "organizations/org/extensions/evil");
  });
});
