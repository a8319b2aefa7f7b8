/*
 * The credentials of a command, and the certificate authority that it trusts. Files are read when a command
 * begins, so that it fails early, and again when they have changed: a watch may outlive its token.
 */
import { X509Certificate } from "node:crypto";
import type { RequestOptions } from "node:https";
import { createSecureContext } from "node:tls";
import type { Interceptor } from "@connectrpc/connect";
import type { ConnectionOptions } from "./connection.ts";
import { Failure } from "./failure.ts";
import { createFileReader } from "./file-reader.ts";

/** The credentials of a command. */
export interface Credentials {
  /** Shows the token, if there is one. */
  readonly showToken: Interceptor;
  /** Tells whether there is a token that has not been shown yet. */
  readonly hasNewToken: () => boolean;
  /** For each connection with TLS. */
  readonly tls: Pick<RequestOptions, "ca" | "cert" | "key">;
}

/** Creates the credentials of a command. Raises a Failure if a file cannot be used. */
export function createCredentials(options: ConnectionOptions): Credentials {
  const readToken = tokenReader(options);
  let shown = readToken();
  return {
    showToken: (next) => (request) => {
      shown = readToken();
      if (shown !== undefined) {
        request.header.set("authorization", `Bearer ${shown}`);
      }
      return next(request);
    },
    hasNewToken: () => readToken() !== shown,
    tls: tlsOf(options),
  };
}

function tokenReader({ token, tokenFile }: ConnectionOptions): () => string | undefined {
  if (tokenFile === undefined) {
    const given = token === undefined ? undefined : parseToken("--token or WASMEXT_TOKEN", token);
    return () => given;
  }
  return createFileReader({ option: "--token-file", path: tokenFile }, (bytes) =>
    parseToken("--token-file", bytes.toString("utf8").trim()),
  );
}

/** What a header can hold. */
const tokenForm = /^[\x21-\x7e]+$/;

/** Checks a token. Raises a Failure, which does not have it, if a header cannot hold it. */
export function parseToken(option: string, text: string): string {
  if (text === "") {
    throw new Failure(`the token of ${option} is empty`);
  }
  if (!tokenForm.test(text)) {
    throw new Failure(`the token of ${option} has invalid characters`);
  }
  return text;
}

function tlsOf({ ca, clientCert, clientKey }: ConnectionOptions): Credentials["tls"] {
  const readCa =
    ca === undefined ? undefined : createFileReader({ option: "--ca", path: ca }, parseCa);
  const readPair =
    clientCert === undefined || clientKey === undefined
      ? undefined
      : pairReader(clientCert, clientKey);
  readCa?.();
  readPair?.();
  // The client copies its options for each call, and so gets what the files hold then.
  return {
    get ca() {
      return readCa?.();
    },
    get cert() {
      return readPair?.().cert;
    },
    get key() {
      return readPair?.().key;
    },
  };
}

function parseCa(bytes: Buffer): Buffer {
  try {
    // Node reads a file without a certificate as an empty list.
    new X509Certificate(bytes);
  } catch {
    throw new Failure("the file of --ca holds no certificate in PEM");
  }
  return bytes;
}

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads a certificate and its key, which are replaced one after the other. */
function pairReader(certPath: string, keyPath: string): () => Pair {
  const same = (bytes: Buffer): Buffer => bytes;
  const readCert = createFileReader({ option: "--client-cert", path: certPath }, same);
  const readKey = createFileReader({ option: "--client-key", path: keyPath }, same);
  let last: Pair | undefined;
  return () => {
    const pair = { cert: readCert(), key: readKey() };
    if (last?.cert !== pair.cert || last.key !== pair.key) {
      try {
        createSecureContext(pair);
        last = pair;
      } catch (error) {
        if (last === undefined) {
          const problem = (error as Error).message;
          throw new Failure(
            `--client-cert and --client-key are not a valid pair in PEM without a passphrase: ${problem}`,
          );
        }
      }
    }
    return last;
  };
}
