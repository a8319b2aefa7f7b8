/*
 * Credentials in the format of Docker's config.json.
 * https://docs.docker.com/reference/cli/docker/login/
 */
import { ModuleFault } from "../problem.ts";

/** What proves who pulls. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** Exchanged for a token, in place of a password. */
  readonly identityToken: string;
  /** Sent as it is. */
  readonly registryToken: string;
}

/** The registry that names without a host are in, under all names that it has in such files. */
const dockerHub = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/**
 * Finds the credentials for a repository: those of the longest key that is the registry's host, with its
 * port if it has one, or the host and the beginning of the path. Undefined if there are none.
 */
export function credentialsIn(
  config: string,
  { host, repository }: { readonly host: string; readonly repository: string },
): Credentials | undefined {
  const { auths } = objectOf(parse(config));
  let best: { readonly path: string; readonly entry: unknown } | undefined;
  for (const [key, entry] of Object.entries(objectOf(auths ?? {}))) {
    const path = pathOfKey(key, host);
    if (path === undefined || path.length < (best?.path.length ?? 0)) {
      continue;
    }
    if (path === "" || path === repository || repository.startsWith(`${path}/`)) {
      best = { path, entry };
    }
  }
  return best === undefined ? undefined : credentialsOf(objectOf(best.entry ?? {}));
}

/** The path in a key, without the versions of the API; undefined for the key of another host. */
function pathOfKey(key: string, host: string): string | undefined {
  const [, keyHost = "", path = ""] = /^(?:https?:\/\/)?([^/]*)\/?(.*?)\/*$/is.exec(key) ?? [];
  const nameOf = (name: string): string => (dockerHub.has(name) ? "docker.io" : name);
  if (nameOf(keyHost.toLowerCase()) !== nameOf(host.toLowerCase())) {
    return undefined;
  }
  return /^v[12]$/.test(path) ? "" : path;
}

function credentialsOf(entry: Readonly<Record<string, unknown>>): Credentials | undefined {
  const text = (name: string): string => {
    const value = entry[name] ?? "";
    if (typeof value !== "string") {
      throw badSecret(`has a value for ${name} that is not a text`);
    }
    return value;
  };
  const decoded = Buffer.from(text("auth"), "base64").toString().replace(/\0+$/, "");
  const colon = decoded.indexOf(":");
  if (text("auth") !== "" && colon < 0) {
    throw badSecret("has an auth that is not the base64 of USER:PASSWORD");
  }
  const credentials = {
    username: colon < 0 ? text("username") : decoded.slice(0, colon),
    password: colon < 0 ? text("password") : decoded.slice(colon + 1),
    identityToken: text("identitytoken"),
    registryToken: text("registrytoken"),
  };
  for (const token of [credentials.identityToken, credentials.registryToken]) {
    if (!/^[\x21-\x7e]*$/.test(token)) {
      throw badSecret("has a token that cannot be sent");
    }
  }
  const { username, identityToken, registryToken } = credentials;
  return username === "" && identityToken === "" && registryToken === "" ? undefined : credentials;
}

function parse(text: string): unknown {
  try {
    // Editors of Windows begin files with a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    // The message of the parser would show a part of the secret.
    throw badSecret("is not JSON");
  }
}

function objectOf(json: unknown): Readonly<Record<string, unknown>> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw badSecret("is not in the format of Docker's config.json");
  }
  return json as Record<string, unknown>;
}

/** The value of `authorization` for a user and a password. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function badSecret(text: string): ModuleFault {
  return new ModuleFault(
    "SECRET",
    `the pull secret ${text}; write it anew, as docker login or kubectl create secret docker-registry does`,
  );
}
