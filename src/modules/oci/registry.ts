/*
 * The API of a registry: requests to one repository, with a login when the registry asks for one.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 *
 * Credentials and tokens go to the registry, and to the realm that it names, over TLS unless the registry
 * is on this machine; never to where it redirects.
 */
import { type Client, type Incoming, type Outgoing, readAll } from "../network/client.ts";
import { ModuleFault } from "../problem.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { basic, type Credentials } from "./credentials.ts";
import type { ImagePlace } from "./place.ts";

/** A repository of a registry. */
export interface Repository {
  /** Sends a request for something in the repository, such as `manifests/latest`; the answer has the status 200. */
  request(method: "GET" | "HEAD", path: string, accept?: string): Promise<Incoming>;
}

/** The credentials for a registry, read when it asks for them. */
export interface Login {
  credentials(): Promise<Credentials | undefined>;
  /** Why there are none, for the message; empty if no secret is named. */
  readonly secret: string;
}

/** The registry limits how often it is asked. */
export class TooOften extends ModuleFault {}

const maxTokenBytes = 64 * 1024;

export function openRepository(client: Client, place: ImagePlace, login: Login): Repository {
  let authorization: string | undefined;
  return {
    async request(method, path, accept = "*/*") {
      const url = new URL(`/v2/${place.repository}/${path}`, place.registry);
      const outgoing: Outgoing = { method, url, headers: { accept } };
      let incoming = await client.follow(outgoing, authorization);
      if (incoming.status === 401 && incoming.url.origin === place.registry.origin) {
        incoming.drop();
        authorization = await authorize(client, place, login, incoming);
        incoming = await client.follow(outgoing, authorization);
      }
      if (incoming.status !== 200) {
        incoming.drop();
        throw await faultOfStatus(incoming, place, login);
      }
      return incoming;
    },
  };
}

/** Gets what a registry wants to see, which it has said with the status 401. */
async function authorize(
  client: Client,
  place: ImagePlace,
  login: Login,
  { headers }: Incoming,
): Promise<string> {
  const challenges = parseChallenges(headers["www-authenticate"] ?? "");
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  const credentials = await login.credentials();
  if (credentials?.registryToken) {
    return `Bearer ${credentials.registryToken}`;
  }
  if (bearer !== undefined) {
    return `Bearer ${await tokenOf(client, place, login, bearer, credentials)}`;
  }
  if (!challenges.some(({ scheme }) => scheme === "basic")) {
    throw new ModuleFault(
      "UNAUTHORIZED",
      `${place.host} asks for a login of an unknown kind; use a registry with basic or bearer logins`,
    );
  }
  if (credentials === undefined) {
    throw unauthorized(place, login);
  }
  return basic(credentials.username, credentials.password);
}

/** Gets a token: https://distribution.github.io/distribution/spec/auth/token/ */
async function tokenOf(
  client: Client,
  place: ImagePlace,
  login: Login,
  { parameters }: Challenge,
  credentials: Credentials | undefined,
): Promise<string> {
  const realm = realmOf(parameters.get("realm") ?? "", place);
  const service = parameters.get("service") ?? "";
  const scope = parameters.get("scope") ?? `repository:${place.repository}:pull`;
  const incoming = await client.send(tokenRequest(realm, { service, scope }, credentials));
  if (incoming.status === 401 || incoming.status === 403) {
    incoming.drop();
    throw unauthorized(place, login, credentials);
  }
  if (incoming.status !== 200) {
    incoming.drop();
    throw new ModuleFault(
      "BAD_ANSWER",
      `the login at ${realm.host} for ${place.host} answers with HTTP status ${incoming.status}; check the registry`,
    );
  }
  const token = tokenIn((await readAll(incoming, maxTokenBytes)).toString());
  if (token === undefined) {
    throw new ModuleFault(
      "BAD_ANSWER",
      `the login at ${realm.host} for ${place.host} gives no token; check the registry`,
    );
  }
  return token;
}

function realmOf(text: string, place: ImagePlace): URL {
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe =
    realm?.protocol === "https:" ||
    (realm?.protocol === "http:" && place.registry.protocol === "http:");
  if (realm === undefined || !isSafe) {
    throw new ModuleFault(
      "BAD_ANSWER",
      `${place.host} asks for a login at a place that is not an https url; check the registry`,
    );
  }
  return realm;
}

function tokenRequest(
  realm: URL,
  asked: { readonly service: string; readonly scope: string },
  credentials: Credentials | undefined,
): Outgoing {
  if (credentials?.identityToken) {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: credentials.identityToken,
      client_id: "wasmext",
      ...asked,
    });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url: realm, headers, body: form.toString() };
  }
  const url = new URL(realm);
  for (const [name, value] of Object.entries(asked)) {
    if (value !== "") {
      url.searchParams.set(name, value);
    }
  }
  return {
    method: "GET",
    url,
    ...(credentials !== undefined && {
      headers: { authorization: basic(credentials.username, credentials.password) },
    }),
  };
}

function tokenIn(text: string): string | undefined {
  try {
    const { token, access_token: accessToken } = JSON.parse(text) as Record<string, unknown>;
    const found = token ?? accessToken;
    return typeof found === "string" && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

async function faultOfStatus(
  { status, url }: Incoming,
  place: ImagePlace,
  login: Login,
): Promise<ModuleFault> {
  switch (status) {
    case 401:
    case 403:
      return unauthorized(place, login, await login.credentials());
    case 404:
      return new ModuleFault(
        "NOT_FOUND",
        `${place.host} has no ${place.repository} with ${place.reference}; check the repository and the tag, or the digest`,
      );
    case 429:
      return new TooOften(
        "BAD_ANSWER",
        `${url.host} limits how often it is asked (HTTP status 429); log in with a pull secret, or use a registry of your own`,
      );
    default:
      return new ModuleFault(
        "BAD_ANSWER",
        `${url.host} answers with HTTP status ${status}; check the registry`,
      );
  }
}

function unauthorized(place: ImagePlace, login: Login, credentials?: Credentials): ModuleFault {
  const { host, repository } = place;
  if (credentials !== undefined) {
    return new ModuleFault(
      "UNAUTHORIZED",
      `${host} refuses the credentials of ${login.secret} for ${repository}; check the repository, and renew the secret`,
    );
  }
  return login.secret === ""
    ? new ModuleFault(
        "UNAUTHORIZED",
        `${host} gives ${repository} only after a login; check the repository, or name a pull secret in image_pull_secret`,
      )
    : new ModuleFault(
        "SECRET",
        `${host} gives ${repository} only after a login, and ${login.secret} has no credentials for it; put them into the file config.json of the secret in the folder of --pull-secrets`,
      );
}
