/* Debian's etcd, as one node or as several on loopback, in processes of the test's own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { createAdmin, type Admin } from "./admin.ts";
import { freePorts } from "./free-ports.ts";

/** One node. */
export interface EtcdNode {
  /** Where clients connect to. */
  readonly url: string;
  readonly admin: Admin;
  /** Stops the process where it stands: its connections stay open, and nothing is answered. */
  pause(): void;
  /** Lets a process that was stopped go on. */
  resume(): void;
  /** Ends the process by SIGKILL. */
  kill(): Promise<void>;
  /** Starts the process again on the same data; resolves when it answers. */
  start(): Promise<void>;
}

/** A cluster; it ends, and its data is removed, at the end of the `await using` block. */
export interface Etcd extends AsyncDisposable {
  readonly nodes: readonly EtcdNode[];
  readonly urls: readonly string[];
  /** Asks any node that answers. */
  readonly admin: Admin;
  /** The node that leads now; waits for one. */
  leader(): Promise<EtcdNode>;
  /** Keeps a copy of all data. The function ends all nodes, and starts them again on that. */
  backUp(): Promise<() => Promise<void>>;
}

/** Options of a cluster. */
export interface EtcdOptions {
  /** Default: 1. */
  readonly nodes?: number;
  /** More options of the command, for every node. */
  readonly flags?: readonly string[];
  /** TLS files for clients, who need certificates of their own. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Starts a cluster; resolves when every node answers. */
export async function startEtcd({
  nodes: count = 1,
  flags = [],
  tls,
}: EtcdOptions = {}): Promise<Etcd> {
  const folder = await mkdtemp(join(tmpdir(), "wasmext-etcd-"));
  const scheme = tls === undefined ? "http" : "https";
  const ports = await freePorts(count * 2);
  const members = Array.from({ length: count }, (_, index) => ({
    name: `node${index}`,
    client: `${scheme}://127.0.0.1:${ports[index * 2] ?? 0}`,
    peer: `http://127.0.0.1:${ports[index * 2 + 1] ?? 0}`,
  }));
  const cluster = members.map(({ name, peer }) => `${name}=${peer}`).join(",");
  const tlsFlags =
    tls === undefined
      ? []
      : ["--client-cert-auth", "--trusted-ca-file", tls.ca, "--cert-file", tls.cert].concat(
          "--key-file",
          tls.key,
        );
  const nodes = members.map(({ name, client, peer }) =>
    createNode(client, [
      ...["--name", name, "--data-dir", join(folder, name)],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", cluster, "--initial-cluster-token", folder],
      ...["--logger", "zap", "--log-level", "error"],
      ...tlsFlags,
      ...flags,
    ]),
  );
  const admin = createAdmin(members.map(({ client }) => client));
  const etcd: Etcd = {
    nodes,
    urls: members.map(({ client }) => client),
    admin,
    async leader() {
      return eventually("a leader", async () => {
        for (const node of nodes) {
          const status = await node.admin.status().catch(() => undefined);
          if (status?.isLeader === true) {
            return node;
          }
        }
        return undefined;
      });
    },
    async backUp() {
      const copy = await mkdtemp(join(folder, "copy-"));
      const withNodesDown = async (work: (name: string) => Promise<unknown>): Promise<void> => {
        await Promise.all(nodes.map((node) => node.kill()));
        await Promise.all(members.map(({ name }) => work(name)));
        await Promise.all(nodes.map((node) => node.start()));
      };
      await withNodesDown((name) => cp(join(folder, name), join(copy, name), { recursive: true }));
      return () =>
        withNodesDown(async (name) => {
          await rm(join(folder, name), { recursive: true });
          await cp(join(copy, name), join(folder, name), { recursive: true });
        });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node.kill()));
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    await etcd[Symbol.asyncDispose]();
    throw error;
  }
  return etcd;
}

function createNode(url: string, flags: readonly string[]): EtcdNode {
  const admin = createAdmin([url]);
  const isTls = url.startsWith("https:");
  let child: ChildProcess | undefined;
  let log = "";
  // A worker that ends early takes its nodes along.
  const killNow = (): void => void child?.kill("SIGKILL");
  return {
    url,
    admin,
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    async kill() {
      const ending = child;
      child = undefined;
      process.off("exit", killNow);
      if (ending?.exitCode === null && ending.signalCode === null) {
        const ended = once(ending, "exit");
        ending.kill("SIGKILL");
        await ended;
      }
    },
    async start() {
      const started = spawn("etcd", flags, { stdio: ["ignore", "ignore", "pipe"] });
      child = started;
      process.on("exit", killNow);
      started.stderr.on("data", (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-2_000);
      });
      let problem: string | undefined;
      started.once("error", (error) => {
        problem = `etcd cannot be started, install etcd-server: ${error.message}`;
      });
      started.once("exit", () => {
        problem ??= `etcd has ended: ${log}`;
      });
      await eventually(`an answer of ${url}`, async () => {
        if (problem !== undefined) {
          throw new Error(problem);
        }
        return (isTls ? await connects(url) : await admin.isHealthy()) || undefined;
      });
    },
  };
}

async function connects(url: string): Promise<boolean> {
  const { connect } = await import("node:net");
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
