/*
 * A key for tokens to try the server out with, in a folder: the private key, and the key set that a server
 * checks tokens with.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWK_EC_Public,
} from "jose";
import { Failure } from "./failure.ts";

/** The algorithm that tokens are signed with. */
export const algorithm = "ES256";

/** The names of the files. */
export const fileNames = { key: "key.jwk", keySet: "jwks.json" } as const;

/** A key for trying out only. */
export interface TryoutKey {
  readonly privateKey: JWK;
  readonly keyId: string;
}

/**
 * Reads the key of a folder, or makes one; writes the key set in any case.
 *
 * Raises a Failure if the folder cannot be used, or what is there is not such a key.
 */
export async function tryoutKeyIn(folder: string): Promise<TryoutKey> {
  try {
    await mkdir(folder, { recursive: true });
    const privateKey = (await readKey(folder)) ?? (await makeKey(folder));
    const { kty, crv, x, y } = privateKey as JWK_EC_Public;
    const keyId = await calculateJwkThumbprint(privateKey);
    const keySet = { keys: [{ kty, crv, x, y, kid: keyId, alg: algorithm, use: "sig" }] };
    await replaceFile(join(folder, fileNames.keySet), `${JSON.stringify(keySet, undefined, 2)}\n`);
    return { privateKey, keyId };
  } catch (error) {
    throw error instanceof Failure
      ? error
      : new Failure(`the folder of --dir cannot be used: ${(error as Error).message}`);
  }
}

async function readKey(folder: string): Promise<JWK | undefined> {
  const path = join(folder, fileNames.key);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
  const key = parseKey(text);
  if (key === undefined) {
    // What is there may be a key of something else, which the message must not quote.
    throw new Failure(`${path} is not a private key of P-256 as JSON; name another folder`);
  }
  return key;
}

function parseKey(text: string): JWK | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { kty, crv, x, y, d } = (value ?? {}) as Record<string, unknown>;
  const isText = [x, y, d].every((part) => typeof part === "string");
  return kty === "EC" && crv === "P-256" && isText ? ({ kty, crv, x, y, d } as JWK) : undefined;
}

/** Makes a key that its owner alone can read. If another process does so too, the first one counts. */
async function makeKey(folder: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const key = await exportJWK(privateKey);
  const text = `${JSON.stringify(key, undefined, 2)}\n`;
  try {
    await writeFile(join(folder, fileNames.key), text, { mode: 0o600, flag: "wx" });
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
    return (await readKey(folder)) ?? key;
  }
}

/** A server may read the file at any time. */
async function replaceFile(path: string, text: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => "")) === text) {
    return;
  }
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text);
  await rename(draft, path);
}
