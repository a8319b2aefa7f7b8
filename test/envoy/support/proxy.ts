/* An Envoy that runs what is attached to a target, with the bootstrap that the command prints. */
import { Agent } from "node:http";
import { runCli } from "../../support/cli.ts";
import { eventually } from "../../support/eventually.ts";
import { type Envoy, type EnvoyOptions, startEnvoy } from "./envoy.ts";
import { type Answer, send } from "./traffic.ts";
import type { Upstream } from "./upstream.ts";

/** How an Envoy asks for its slots. */
export type Protocol = "delta ADS" | "ADS" | "delta streams" | "streams";

export const protocols: readonly Protocol[] = ["delta ADS", "ADS", "delta streams", "streams"];

export interface ProxyOptions extends EnvoyOptions {
  readonly upstream: Upstream;
  /** Default: delta ADS. */
  readonly protocol?: Protocol;
  /** Options of `wasmext envoy bootstrap`, such as `--atomic`. */
  readonly options?: readonly string[];
  /** Changes the printed bootstrap. */
  readonly edit?: (printed: string) => string;
}

/** A listener of an Envoy. */
export interface Listener {
  /** Sends a request through it, when it is open. */
  send(path?: string): Promise<Answer>;
  /** Resolves with the first answer that meets a condition. */
  answers(what: string, condition: (answer: Answer) => boolean): Promise<Answer>;
  /** Resolves when requests pass the plugins of some names, in this order, and nothing else. */
  runs(...names: string[]): Promise<Answer>;
}

/** An Envoy, with its listener; it ends at the end of the `await using` block. */
export interface Proxy extends AsyncDisposable, Listener {
  readonly envoy: Envoy;
  /** Resolves when it is live. */
  open(): Promise<void>;
  /** Another listener of its bootstrap. */
  listener(name: string): Listener;
}

/** Starts an Envoy for a target; resolves when it has begun to ask. */
export async function startProxy(
  { url }: { readonly url: string },
  target: string,
  {
    upstream,
    protocol = "delta ADS",
    options = [],
    edit = (printed) => printed,
    ...more
  }: ProxyOptions,
): Promise<Proxy> {
  const ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const streams = protocol.endsWith("streams") ? ["--no-ads"] : [];
  const to = ["--server", url, "--upstream", upstream.address];
  const { exitCode, stdout, stderr } = await runCli([
    ...["envoy", "bootstrap", target, ...ports, ...streams, ...to, ...options],
  ]);
  if (exitCode !== 0) {
    throw new Error(stderr);
  }
  const printed = protocol.startsWith("delta")
    ? stdout
    : stdout.replaceAll("api_type: DELTA_GRPC", "api_type: GRPC");
  const envoy = await startEnvoy(edit(printed), more);
  // Requests over one connection cost less, and see changes just the same.
  const agent = new Agent({ keepAlive: true });
  return {
    envoy,
    open: () => envoy.live(),
    listener: (name) => listenerOf(envoy, name, agent),
    ...listenerOf(envoy, "wasmext", agent),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await envoy[Symbol.asyncDispose]();
    },
  };
}

function listenerOf(envoy: Envoy, name: string, agent: Agent): Listener {
  let port: Promise<number> | undefined;
  const open = async (): Promise<number> => {
    await envoy.live();
    return envoy.portOf(name);
  };
  const request = async (path?: string): Promise<Answer> => {
    port ??= open();
    return send(await port, path, agent);
  };
  const answers: Listener["answers"] = async (what, condition) => {
    let last: Answer | undefined;
    try {
      return await eventually(what, async () => {
        last = await request();
        return condition(last) ? last : undefined;
      });
    } catch (error) {
      throw new Error(`${what}: the last answer is ${JSON.stringify(last)}`, { cause: error });
    }
  };
  return {
    send: request,
    answers,
    runs: (...names) =>
      answers(
        `plugins [${names.join()}]`,
        ({ status, requestChain }) => status === 200 && requestChain.join() === names.join(),
      ),
  };
}
