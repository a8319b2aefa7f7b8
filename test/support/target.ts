import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import type { ServerOptions } from "../../src/server.ts";
import type { Dialect } from "./dialects.ts";
import { type Said, said } from "./errors.ts";
import type { Sent } from "./exchange.ts";
import { type RunningServer, startServer } from "./server.ts";

const service = `/${WasmExtensions.typeName}`;
export const createPath = `${service}/CreateWasmExtension`;
export const getPath = `${service}/GetWasmExtension`;
export const listPath = `${service}/ListWasmExtension`;
export const healthPath = "/grpc.health.v1.Health/Check";

/** A server that bad input is sent to. */
export interface Target {
  readonly port: number;
  /** Sends a request, to create an extension unless it says otherwise, that has to be refused. */
  refuses(dialect: Dialect, sent: Partial<Sent>): Promise<Said>;
  /** The same for a request that has to be answered. */
  answers(dialect: Dialect, sent: Partial<Sent>): Promise<void>;
}

/**
 * Starts a server for the tests of a file. Each test has to leave it unharmed: it answers a good
 * call, and its store is as it was.
 */
export function useTarget(options: Partial<ServerOptions> = {}): Target {
  let server: RunningServer;
  let before: unknown;

  beforeAll(async () => {
    server = await startServer(options);
    await client().createWasmExtension({
      parent: "organizations/acme",
      name: "witness",
      wasmExtension: {
        url: "oci://ghcr.io/acme/witness:1",
        allowedIn: ["organizations/acme/tenants/red"],
      },
    });
    before = await stored();
  });
  afterEach(async () => {
    expect(await stored()).toEqual(before);
  });
  afterAll(() => server.close());

  function client() {
    return createClient(WasmExtensions, createGrpcTransport({ baseUrl: server.url }));
  }

  async function stored(): Promise<unknown> {
    const { extensions } = await client().listWasmExtension(
      { parent: "organizations/acme" },
      { timeoutMs: 5_000 },
    );
    return extensions;
  }

  return {
    get port() {
      return server.port;
    },
    async refuses(dialect, sent) {
      const error = await dialect.send(server.port, { path: createPath, ...sent });
      if (error === undefined) {
        throw new Error("expected the request to be refused, but it was answered");
      }
      return said(error);
    },
    async answers(dialect, sent) {
      expect(await dialect.send(server.port, { path: createPath, ...sent })).toBeUndefined();
    },
  };
}
