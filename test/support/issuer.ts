/* An identity provider: keys, tokens, and a server of its key set. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from "jose";

export const issuer = "https://id.example.com";
export const audience = "wasmext";

/** A key pair of an issuer. */
export interface IssuerKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** Makes a key pair. */
export async function makeKey(kid: string, algorithm = "ES256"): Promise<IssuerKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" };
  return { kid, algorithm, privateKey, publicJwk };
}

/** The key set of some keys, as an issuer publishes it. */
export function keySetOf(...keys: readonly IssuerKey[]): string {
  return JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) });
}

/** Signs a token of `issuer` for `audience` that lasts an hour, but for what is given. */
export function sign(
  { kid, algorithm, privateKey }: IssuerKey,
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const payload = { iss: issuer, aud: audience, sub: "alice", exp, ...claims };
  return new SignJWT(withoutUndefined(payload))
    .setProtectedHeader({ alg: algorithm, kid, typ: "JWT", ...header })
    .sign(privateKey);
}

function withoutUndefined(payload: Readonly<Record<string, unknown>>): JWTPayload {
  return Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
}

/** A server of a key set. */
export interface KeySetServer extends AsyncDisposable {
  readonly url: string;
  /** What it answers with; a number is a status without a key set. */
  answer: string | number;
  /** How often it has been asked. */
  readonly asked: number;
}

/** Starts a server of a key set. */
export async function serveKeySet(answer: string | number): Promise<KeySetServer> {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    const { answer: present } = running;
    response.statusCode = typeof present === "number" ? present : 200;
    response.end(typeof present === "number" ? "" : present);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const running = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    answer,
    get asked() {
      return asked;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return running;
}
