/* Fetches a module that is a file on an HTTP server. */
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { sha256InUrl } from "../catalog/names/module-url.ts";
import type { Fetched, Fetching } from "./fetching.ts";
import type { Incoming } from "./network/client.ts";
import { basic } from "./oci/credentials.ts";
import { ModuleFault } from "./problem.ts";

/** Fetches a module. Rejects with a ModuleFault. */
export async function fetchFile(fetching: Fetching): Promise<Fetched> {
  const url = new URL(fetching.url);
  const { etag, lastModified } = fetching.known ?? {};
  const headers = {
    ...(etag !== undefined && { "if-none-match": etag }),
    ...(lastModified !== undefined && { "if-modified-since": lastModified }),
  };
  const incoming = await fetching.client.follow({ method: "GET", url, headers }, loginIn(url));
  if (incoming.status === 304 && fetching.known !== undefined) {
    incoming.drop();
    return { kind: "unchanged" };
  }
  if (incoming.status !== 200) {
    incoming.drop();
    throw faultOfStatus(incoming);
  }
  await write(incoming, fetching);
  checkSha256(fetching);
  return {
    kind: "fetched",
    validator: {
      etag: incoming.headers.etag,
      lastModified: incoming.headers["last-modified"],
    },
  };
}

/** The value of `authorization` for the user and the password in a url. */
function loginIn(url: URL): string | undefined {
  const { username, password } = url;
  return username === "" && password === ""
    ? undefined
    : basic(decoded(username), decoded(password));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Writes a body to the draft, unpacked if the server has compressed it without being asked. */
async function write(incoming: Incoming, { draft, maxModuleBytes }: Fetching): Promise<void> {
  const chunks = incoming.chunks(maxModuleBytes);
  const store = async (body: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of body) {
      await draft.write(chunk);
    }
  };
  const { host } = incoming.url;
  const encoding = incoming.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (encoding === "identity") {
    await store(chunks);
    return;
  }
  if (encoding !== "gzip") {
    incoming.drop();
    throw new ModuleFault(
      "BAD_ANSWER",
      `${host} sends the module in an encoding that was not asked for; have it sent as it is`,
    );
  }
  try {
    await pipeline(Readable.from(chunks), createGunzip({ chunkSize: 64 * 1024 }), store);
  } catch (error) {
    if (((error as NodeJS.ErrnoException).code ?? "").startsWith("Z_")) {
      throw new ModuleFault(
        "BAD_ANSWER",
        `what ${host} sends as gzip is not valid gzip; have the module sent as it is`,
        { cause: error },
      );
    }
    throw error;
  }
}

function checkSha256({ url, draft }: Fetching): void {
  const expected = sha256InUrl(url);
  if (expected !== undefined && draft.digest() !== expected) {
    throw new ModuleFault(
      "DIGEST_MISMATCH",
      `the file has the sha256 ${draft.digest()} instead of ${expected}; it was replaced or damaged, so upload it again, or correct the url`,
    );
  }
}

function faultOfStatus({ status, url }: Incoming): ModuleFault {
  switch (status) {
    case 401:
    case 403:
      return new ModuleFault(
        "UNAUTHORIZED",
        `${url.host} refuses the request (HTTP status ${status}); put the module where the server may read it`,
      );
    case 404:
    case 410:
      return new ModuleFault(
        "NOT_FOUND",
        `${url.host} has no such file (HTTP status ${status}); check the path`,
      );
    default:
      return new ModuleFault(
        "BAD_ANSWER",
        `${url.host} answers with HTTP status ${status}; check the server`,
      );
  }
}
