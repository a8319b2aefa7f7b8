import { afterAll, beforeAll } from "vitest";
import { answerBytes, serve, type TestServer } from "../../modules/support/registry.ts";
import { testModule } from "./module.ts";
import { type Serving, startServing } from "./serving.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

/** A catalog that is served, an HTTP server of the test module, and what is behind the proxies. */
export interface InUse {
  readonly serving: Serving;
  readonly upstream: Upstream;
  /** Creates an extension that adds its name, or replaces it. */
  readonly put: (name: string, more?: Parameters<Serving["put"]>[1]) => Promise<void>;
}

/** Starts all of it for the tests of a file. */
export function useServing(): InUse {
  let serving: Serving;
  let files: TestServer;
  let upstream: Upstream;
  beforeAll(async () => {
    const { bytes } = await testModule();
    upstream = await startUpstream();
    files = await serve(answerBytes(bytes));
    serving = await startServing();
  });
  afterAll(async () => {
    await serving[Symbol.asyncDispose]();
    await files[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });
  return {
    get serving() {
      return serving;
    },
    get upstream() {
      return upstream;
    },
    put: (name, more = {}) =>
      serving.put(name, { url: `http://${files.host}/chain.wasm`, config: { name }, ...more }),
  };
}
