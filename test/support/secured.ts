/* A server that tells callers by their tokens, with a grants file. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import type { Grant } from "../../src/catalog/access/principal.ts";
import { type Authentication, openAuthentication } from "../../src/auth/open.ts";
import type { ServerOptions } from "../../src/server.ts";
import { folderOf } from "./cli.ts";
import { audience, issuer, type IssuerKey, keySetOf, makeKey, sign } from "./issuer.ts";
import { type RunningServer, startServer } from "./server.ts";

/** Grants by the claim `sub`. */
export type GrantsOfSubjects = Readonly<Record<string, readonly Grant[]>>;

/** A server, and its issuer of tokens. */
export interface Secured extends AsyncDisposable {
  readonly server: RunningServer;
  readonly key: IssuerKey;
  /** What was said of keys and grants. */
  readonly notices: readonly string[];
  /** A token for a subject, that lasts an hour unless its claims say otherwise. */
  token(sub: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Replaces the grants file. */
  writeGrants(grants: GrantsOfSubjects | string): void;
}

/** Starts a server that tells callers by their tokens. */
export async function startSecured(
  grants: GrantsOfSubjects,
  { clockSkewMs = 30_000, ...options }: Partial<ServerOptions> & { clockSkewMs?: number } = {},
): Promise<Secured> {
  const key = await makeKey("one");
  const folder = folderOf({ "keys.json": keySetOf(key), "grants.yaml": textOf(grants) });
  const [jwks, grantsFile] = [join(folder.path, "keys.json"), join(folder.path, "grants.yaml")];
  const notices: string[] = [];
  const notice = (text: string): void => void notices.push(text);
  const rules = { jwks, grantsFile, issuer, audiences: [audience], clockSkewMs };
  const authentication: Authentication = await openAuthentication(
    { kind: "jwt", ...rules },
    { info: notice, warn: notice },
  );
  const server = await startServer({ authenticate: authentication.authenticate, ...options });
  return {
    server,
    key,
    notices,
    token: (sub, claims = {}) => sign(key, { sub, ...claims }),
    writeGrants(changed) {
      const text = typeof changed === "string" ? changed : textOf(changed);
      writeFileSync(`${grantsFile}.new`, text);
      renameSync(`${grantsFile}.new`, grantsFile);
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      authentication.close();
      folder[Symbol.dispose]();
    },
  };
}

function textOf(grants: GrantsOfSubjects): string {
  const rules = Object.entries(grants).map(([value, list]) => ({
    claim: "sub",
    value,
    grants: list,
  }));
  return JSON.stringify({ rules });
}

/** The protocols, as clients speak them that show a token. */
export const protocols: readonly (readonly [string, (url: string, token?: string) => Transport])[] =
  [
    ["gRPC", (baseUrl, token) => createGrpcTransport({ baseUrl, ...showing(token) })],
    [
      "gRPC-Web over HTTP/1.1",
      (baseUrl, token) =>
        createGrpcWebTransport({ baseUrl, httpVersion: "1.1", ...showing(token) }),
    ],
    [
      "gRPC-Web over HTTP/2",
      (baseUrl, token) => createGrpcWebTransport({ baseUrl, httpVersion: "2", ...showing(token) }),
    ],
    [
      "Connect over HTTP/1.1 in JSON",
      (baseUrl, token) =>
        createConnectTransport({ baseUrl, httpVersion: "1.1", ...showing(token) }),
    ],
    [
      "Connect over HTTP/1.1 by GET",
      (baseUrl, token) =>
        createConnectTransport({
          ...{ baseUrl, httpVersion: "1.1", useHttpGet: true },
          ...showing(token),
        }),
    ],
    [
      "Connect over HTTP/2 in binary",
      (baseUrl, token) =>
        createConnectTransport({
          ...{ baseUrl, httpVersion: "2", useBinaryFormat: true },
          ...showing(token),
        }),
    ],
  ];

function showing(token: string | undefined): { interceptors: Interceptor[] } {
  const show: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${token ?? ""}`);
    return next(request);
  };
  return { interceptors: token === undefined ? [] : [show] };
}
