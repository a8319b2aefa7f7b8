import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ran, runCli } from "../support/cli.ts";
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

describe("commands that edit", () => {
  let server: RunningServer;
  const run = (...parameters: string[]): Promise<Ran> =>
    runCli([...parameters, "--server", server.url]);
  const attached = async (target: string): Promise<unknown> => {
    const { stdout } = await run("get", target, "-o", "json");
    return (JSON.parse(stdout) as { spec: unknown }).spec;
  };

  beforeEach(async () => {
    server = await startServer();
    const input = `${seedOci}---\n${seedHttp}`;
    await runCli(["apply", "-f", "-", "--server", server.url], { input });
  });
  afterEach(() => server.close());

  test("attach creates the attachments of a target, adds to them, and changes them", async () => {
    const first = ["--namespace", "web", "--label", "app=ingress", "--label", "tier=edge"];
    expect(await run("attach", seedHttpFqn, seedGateway, ...first)).toEqual({
      exitCode: 0,
      stdout: `${seedGateway} created\n`,
      stderr: "",
    });
    const config = ["--config", '{some_key: here, "n": 1}'];
    expect((await run("attach", seedAuth, seedGateway, ...config)).stdout).toBe(
      `${seedGateway} configured\n`,
    );
    const traffic = ["--mode", "CLIENT", "--port", "80", "--port", "443"];
    expect((await run("attach", seedHttpFqn, seedGateway, ...traffic)).exitCode).toBe(0);
    expect(await attached(seedGateway)).toEqual({
      workloadSelector: { namespace: "web", labels: { app: "ingress", tier: "edge" } },
      extension: [
        { fqn: seedHttpFqn, match: [{ mode: "CLIENT", ports: [{ number: 80 }, { number: 443 }] }] },
        { fqn: seedAuth, config: { some_key: "here", n: 1 } },
      ],
    });
    expect((await run("attach", seedAuth, seedGateway)).stdout).toBe(`${seedGateway} unchanged\n`);
  });

  test("attach takes what follows the first = of a label for its value", async () => {
    const { exitCode, stderr } = await run("attach", seedAuth, group, "--label", "tier=edge=1");
    expect(exitCode).toBe(1);
    expect(stderr).toContain('workload_selector.labels["tier"]: "edge=1" is not valid');
  });

  test("attach keeps what the options do not say", async () => {
    const first = ["--mode", "SERVER", "--label", "a=1", "--label", "b=2", "--namespace", "ns"];
    await run("attach", seedAuth, group, ...first, "--config", "{x: 1}");
    await run("attach", seedAuth, group, "--port", "8080", "--label", "b=3");
    expect(await attached(group)).toEqual({
      workloadSelector: { namespace: "ns", labels: { a: "1", b: "3" } },
      extension: [
        { fqn: seedAuth, config: { x: 1 }, match: [{ mode: "SERVER", ports: [{ number: 8080 }] }] },
      ],
    });
  });

  test("attach does not touch an attachment with several selectors, but for what is not traffic", async () => {
    const input = `apiVersion: wasmext/v1
kind: AttachmentSet
metadata: {fqn: ${group}}
spec:
  extension:
    - fqn: ${seedAuth}
      match: [{mode: SERVER, ports: [{number: 80}]}, {mode: CLIENT, ports: [{number: 443}]}]
`;
    await runCli(["apply", "-f", "-", "--server", server.url], { input });
    const before = await attached(group);
    const ports = ["--port", "8080"];
    const ran = await run("attach", seedAuth, group, seedGateway, ...ports);
    expect(ran).toMatchObject({ exitCode: 1, stdout: `${seedGateway} created\n` });
    expect(ran.stderr).toMatch(
      new RegExp(`^error: ${group}: ${seedAuth} is attached with several traffic selectors, `),
    );
    expect(await attached(group)).toEqual(before);
    expect((await run("attach", seedAuth, group, "--config", "{a: 1}")).exitCode).toBe(0);
  });

  test("attach names the target that is refused, and goes on with the others", async () => {
    const { exitCode, stdout, stderr } = await run(
      ...["attach", seedAuth, seedGateway, group],
      ...["--mode", "SERVER"],
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: `${group} created\n` });
    expect(stderr).toMatch(
      new RegExp(`^error: ${seedGateway}: .*SERVER never matches on a gateway`),
    );
  });

  test("attach takes several targets, and an empty configuration", async () => {
    const { stdout } = await run("attach", seedAuth, seedGateway, group, "--config", "{}");
    expect(stdout).toBe(`${seedGateway} created\n${group} created\n`);
    expect(await attached(group)).toEqual({ extension: [{ fqn: seedAuth, config: {} }] });
  });

  test("attach of what the tenant may not use is refused", async () => {
    const target = group.replace("tenant1", "tenant2");
    const { exitCode, stderr } = await run("attach", seedAuth, target);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: .*wasm-auth does not exist, or .*tenant2 may not use it; /);
  });

  test("attachments that are made at the same time are all there", async () => {
    await Promise.all([
      run("attach", seedAuth, group),
      run("attach", seedHttpFqn, group, "--port", "80"),
      run("attach", seedHttpFqn, group, "--config", "{a: 1}"),
    ]);
    const { extension } = (await attached(group)) as { extension: { fqn: string }[] };
    expect(extension.map(({ fqn }) => fqn).toSorted()).toEqual([seedAuth, seedHttpFqn]);
    const labels = Array.from({ length: 12 }, (_, index) => `l${index}`);
    const all = await Promise.all(
      labels.map((label) => run("attach", seedAuth, group, "--label", `${label}=x`)),
    );
    expect(all.map(({ exitCode }) => exitCode)).toEqual(labels.map(() => 0));
    const { workloadSelector } = (await attached(group)) as {
      workloadSelector: { labels: object };
    };
    expect(Object.keys(workloadSelector.labels).toSorted()).toEqual(labels.toSorted());
    expect(extension).toContainEqual({
      fqn: seedHttpFqn,
      config: { a: 1 },
      match: [{ ports: [{ number: 80 }] }],
    });
  });

  test("detach takes an extension off, and leaves what is not attached alone", async () => {
    await run("attach", seedAuth, group);
    await run("attach", seedHttpFqn, group);
    expect((await run("detach", seedAuth, group, seedGateway)).stdout).toBe(
      `${group} configured\n${seedGateway} unchanged\n`,
    );
    expect(await attached(group)).toEqual({ extension: [{ fqn: seedHttpFqn }] });
    expect((await run("get", seedGateway)).exitCode).toBe(1);
  });

  test("delete takes names, and goes on after one that is not there", async () => {
    await run("attach", seedHttpFqn, group);
    const none = "organizations/org/extensions/none";
    const { exitCode, stdout, stderr } = await run("delete", seedAuth, none, group);
    expect(exitCode).toBe(1);
    expect(stdout).toBe(`${group} deleted\n${seedAuth} deleted\n`);
    expect(stderr).toBe(
      `error: ${none} does not exist, or the caller may not read it; check the name\n`,
    );
  });

  test("delete takes the files that were applied, attachments first", async () => {
    const input = [seedHttp, seedAttachments, seedOci].join("---\n");
    await runCli(["apply", "-f", "-", "--server", server.url], { input });
    const ran = await runCli(["delete", "-f", "-", "--server", server.url], { input });
    expect(ran).toEqual({
      exitCode: 0,
      stdout: `${seedGateway} deleted\n${seedHttpFqn} deleted\n${seedAuth} deleted\n`,
      stderr: "",
    });
    expect((await run("list", "organizations/org")).stdout).toBe("");
  });
});
