/* An Envoy with the bootstrap that `wasmext envoy bootstrap` prints, in front of an upstream. */
import { redIngress } from "../../support/acme.ts";
import { runCli } from "../../support/cli.ts";
import { type Envoy, type EnvoyOptions, startEnvoy } from "./envoy.ts";

/** An Envoy, and the port that it takes requests on. */
export interface Gateway extends Envoy {
  readonly listenPort: number;
}

/** What a gateway is pointed at. */
export interface GatewayOptions extends EnvoyOptions {
  /** The url of the server. */
  readonly server: string;
  /** The address of the upstream; without one, Envoy answers itself. */
  readonly upstream?: string;
  /** Default: a gateway of the tenant red. */
  readonly target?: string;
  /** More options of `wasmext envoy bootstrap`. */
  readonly options?: readonly string[];
  /** Default: a free one, which is another one after a restart. */
  readonly port?: number;
}

/** Starts an Envoy; resolves when it is live: when the server has filled its slots. */
export async function startGateway({
  server,
  upstream,
  target = redIngress,
  options = [],
  port = 0,
  ...rest
}: GatewayOptions): Promise<Gateway> {
  const ports = ["--listen", `127.0.0.1:${port}`, "--admin", "127.0.0.1:0"];
  const to = upstream === undefined ? [] : ["--upstream", upstream];
  const parameters = ["envoy", "bootstrap", target, "--server", server, ...ports, ...to];
  const { exitCode, stdout, stderr } = await runCli([...parameters, ...options]);
  if (exitCode !== 0) {
    throw new Error(stderr);
  }
  const envoy = await startEnvoy(stdout, rest);
  try {
    await envoy.live();
    return Object.assign(envoy, { listenPort: await envoy.portOf("wasmext") });
  } catch (error) {
    await envoy[Symbol.asyncDispose]();
    throw error;
  }
}
