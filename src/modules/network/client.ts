/*
 * Requests to hosts that users name. Each has a connection of its own, made to an address that was checked;
 * Host, SNI and the certificate go by the name. Proxies of the environment are not used: a proxy would
 * look names up itself, and reach what it likes.
 */
import { type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest, type RequestOptions } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { gunzipSync } from "node:zlib";
import { ModuleFault } from "../problem.ts";
import type { Resolve } from "./resolve.ts";

/** A request. */
export interface Outgoing {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The answer to a request. */
export interface Incoming {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Ends the connection. */
  drop(): void;
  /** Reads the body. Raises a ModuleFault if it is longer than allowed, cut off, or does not come. */
  chunks(maxBytes: number): AsyncGenerator<Buffer, void>;
}

/** Sends requests. Rejects with a ModuleFault if there is no answer. */
export interface Client {
  send(outgoing: Outgoing): Promise<Incoming>;
  /** As `send`, and follows redirects; what `authorized` returns goes to the first origin alone. */
  follow(outgoing: Outgoing, authorization?: string): Promise<Incoming>;
}

/** What a client is bounded by. */
export interface ClientOptions {
  readonly resolve: Resolve;
  /** Ends everything; its reason is a ModuleFault. */
  readonly signal: AbortSignal;
  /** How long nothing may arrive, in ms. */
  readonly silenceMs: number;
  /** Certificates of authorities to trust. Default: those of Node, and of NODE_EXTRA_CA_CERTS. */
  readonly ca?: string | undefined;
}

/** How many redirects are followed. */
export const maxRedirects = 5;

const redirects = new Set([301, 302, 303, 307, 308]);

export function createClient(options: ClientOptions): Client {
  const send = async (outgoing: Outgoing): Promise<Incoming> => {
    const { url } = outgoing;
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      throw new ModuleFault(
        "BAD_REDIRECT",
        `the redirect to ${url.protocol} is not to http or https`,
      );
    }
    const addresses = await options.resolve(url, options.signal);
    const silence = new AbortController();
    const signal = AbortSignal.any([options.signal, silence.signal]);
    try {
      const message = await answerTo(outgoing, addresses, { ...options, signal }, silence);
      return incomingOf(message, url, signal);
    } catch (error) {
      throw faultOf(error, url, signal);
    }
  };
  return {
    send,
    async follow(outgoing, authorization) {
      const { origin } = outgoing.url;
      let next = outgoing;
      for (let count = 0; count <= maxRedirects; count++) {
        const isOrigin = next.url.origin === origin;
        const incoming = await send({
          ...next,
          headers: {
            ...next.headers,
            ...(authorization !== undefined && isOrigin && { authorization }),
          },
        });
        if (!redirects.has(incoming.status)) {
          return incoming;
        }
        incoming.drop();
        next = { ...next, url: placeOf(incoming) };
      }
      throw new ModuleFault(
        "BAD_REDIRECT",
        `${outgoing.url.host} redirects more than ${maxRedirects} times; use the url that the module is at`,
      );
    },
  };
}

/** Where a redirect leads. */
function placeOf({ url, headers: { location = "" } }: Incoming): URL {
  const target = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
  if (location === "" || target === undefined) {
    throw new ModuleFault("BAD_REDIRECT", `${url.host} redirects without a valid url`);
  }
  if (url.protocol === "https:" && target.protocol === "http:") {
    throw new ModuleFault(
      "BAD_REDIRECT",
      `${url.host} redirects from https to http, where anyone on the network path can replace the module; use an https url that leads to https`,
    );
  }
  return target;
}

function answerTo(
  { method, url, headers = {}, body }: Outgoing,
  addresses: readonly string[],
  { signal, silenceMs, ca }: ClientOptions,
  silence: AbortController,
): Promise<IncomingMessage> {
  const lookup: LookupFunction = (_, { all = false }, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    const [{ address, family } = { address: "", family: 4 }] = found;
    // Node calls back in the same turn only with a socket that has its listeners.
    setImmediate(() => {
      if (all) {
        callback(null, found);
      } else {
        callback(null, address, family);
      }
    });
  };
  const request = url.protocol === "https:" ? tlsRequest : plainRequest;
  const options: RequestOptions = {
    method,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    path: `${url.pathname}${url.search}`,
    headers: { "user-agent": "wasmext", "accept-encoding": "identity", ...headers },
    agent: false,
    timeout: silenceMs,
    lookup,
    signal,
    ...(url.port !== "" && { port: url.port }),
    ...(ca !== undefined && { ca }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(options, resolve);
    sent.on("error", reject);
    // Without a listener, Node ends the connection and reports nothing.
    sent.on("upgrade", (_, socket) => {
      socket.destroy();
      reject(
        new ModuleFault(
          "BAD_ANSWER",
          `${url.host} wants to speak something else than HTTP; check the port`,
        ),
      );
    });
    // After an answer or an error, this changes nothing.
    sent.on("close", () => {
      reject(new Error("the connection is closed"));
    });
    sent.on("timeout", () => {
      const text = `nothing has come from ${url.host} for ${silenceMs / 1000} s; check that it is up`;
      silence.abort(new ModuleFault("TIMEOUT", text));
    });
    sent.end(body);
  });
}

function incomingOf(message: IncomingMessage, url: URL, signal: AbortSignal): Incoming {
  // What is dropped may fail later.
  message.on("error", () => undefined);
  return {
    url,
    status: message.statusCode ?? 0,
    headers: message.headers,
    drop: () => {
      message.destroy();
    },
    async *chunks(maxBytes) {
      const length = Number(message.headers["content-length"] ?? 0);
      if (length > maxBytes) {
        message.destroy();
        throw tooLarge(url, maxBytes);
      }
      let bytes = 0;
      try {
        for await (const chunk of message as AsyncIterable<Buffer>) {
          bytes += chunk.byteLength;
          if (bytes > maxBytes) {
            throw tooLarge(url, maxBytes);
          }
          yield chunk;
        }
      } catch (error) {
        throw faultOf(error, url, signal);
      }
    },
  };
}

/** Reads a whole body, unpacked if it was compressed on its way without being asked. */
export async function readAll(incoming: Incoming, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming.chunks(maxBytes)) {
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (incoming.headers["content-encoding"]?.toLowerCase() !== "gzip") {
    return body;
  }
  try {
    return gunzipSync(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw tooLarge(incoming.url, maxBytes);
    }
    throw new ModuleFault(
      "BAD_ANSWER",
      `what ${incoming.url.host} sends as gzip is not valid gzip; check the server`,
      { cause: error },
    );
  }
}

function tooLarge(url: URL, maxBytes: number): ModuleFault {
  return new ModuleFault(
    "TOO_LARGE",
    `the answer of ${url.host} has more than ${maxBytes} bytes; make the module smaller, or raise --max-module-bytes`,
  );
}

/** The fault of a request or of the reading of its answer. */
function faultOf(error: unknown, { host }: URL, signal: AbortSignal): ModuleFault {
  // A socket that is destroyed reports its own end; why it was destroyed is in the signal.
  const { reason } = signal as { reason: unknown };
  const first = reason instanceof ModuleFault ? reason : error;
  if (first instanceof ModuleFault) {
    return first;
  }
  const { code = "", message } = error as NodeJS.ErrnoException;
  return new ModuleFault(...describe(code, message, host), { cause: error });
}

function describe(
  code: string,
  message: string,
  host: string,
): ["UNREACHABLE" | "BAD_ANSWER", string] {
  if (message === "aborted") {
    return [
      "BAD_ANSWER",
      `the answer of ${host} is cut off; check the server, or a proxy before it`,
    ];
  }
  if (code.startsWith("HPE_")) {
    return [
      "BAD_ANSWER",
      `the answer of ${host} is not valid HTTP (${code}); check the scheme and the port`,
    ];
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ISSUER/.test(code)) {
    return [
      "UNREACHABLE",
      `the certificate of ${host} cannot be verified (${code}); mend it, or give its authority to the server in NODE_EXTRA_CA_CERTS`,
    ];
  }
  if (code === "ECONNREFUSED") {
    return ["UNREACHABLE", `${host} refuses the connection; check the port, and that it is up`];
  }
  return [
    "UNREACHABLE",
    `${host} cannot be reached (${code || message}); check the host and the port`,
  ];
}
