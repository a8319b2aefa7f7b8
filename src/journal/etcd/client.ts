/*
 * A client of etcd's API: one endpoint at a time, the next one after a failure.
 *
 * 1. A read is tried on each endpoint in turn, until its signal is aborted.
 * 2. A transaction is tried once: its sender knows whether it may be sent again.
 * 3. A watch that brings nothing for a time ends, whatever TCP believes: etcd answers each request for
 *    progress at once.
 */
import { setTimeout as delay } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  Auth,
  KV,
  type RangeRequestSchema,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
  Watch,
  type WatchCreateRequestSchema,
  WatchRequestSchema,
  type WatchRequest,
  type WatchResponse,
} from "../../../gen/etcdserverpb/rpc_pb.ts";
import { type Connection, createConnection, type EtcdTls } from "./connection.ts";
import { isLasting, isStaleToken, isTooLarge } from "./problems.ts";

/** How to reach etcd, and as whom. */
export interface EtcdAccess {
  /** Origins, such as http://127.0.0.1:2379. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
  readonly user?: { readonly name: string; readonly password: string };
  /** The largest answer that is read. Default: 64 MiB. */
  readonly maxAnswerBytes?: number;
}

/** A client of etcd. */
export interface EtcdClient {
  /**
   * Reads, on whichever endpoint answers. Rejects if etcd refuses, or the answer is too large, or with the last
   * error at the end of the signal.
   */
  range(
    request: MessageInitShape<typeof RangeRequestSchema>,
    signal: AbortSignal,
  ): Promise<RangeResponse>;
  /** Tries a transaction once. An error of etcd that is a refusal says that nothing was done. */
  tryTxn(request: TxnRequest, signal: AbortSignal): Promise<TxnResponse>;
  /**
   * Follows a watch. Each response is handed over when the one before has been dealt with.
   *
   * Rejects when the watch ends, whatever the reason.
   */
  watch(
    request: MessageInitShape<typeof WatchCreateRequestSchema>,
    receive: (response: WatchResponse) => Promise<void>,
    signal: AbortSignal,
  ): Promise<never>;
  /** Ends all calls. */
  close(): void;
}

interface Endpoint {
  readonly origin: string;
  readonly connection: Connection;
  readonly kv: Client<typeof KV>;
  readonly watch: Client<typeof Watch>;
  readonly auth: Client<typeof Auth>;
}

/** Within what time an endpoint has to answer, in ms. */
const callMs = 3_000;
const connectMs = 2_000;
/** How often a watch asks for progress, and after how many times without any answer it has ended, in ms. */
const progressMs = 500;
const maxSilentRounds = 5;
const retryMs = 100;

/** Creates a client. It connects when it is used. */
export function createEtcdClient({
  endpoints: origins,
  tls = {},
  user,
  maxAnswerBytes = 64 * 1024 * 1024,
}: EtcdAccess): EtcdClient {
  const endpoints = origins.map((origin) => createEndpoint(origin, tls, maxAnswerBytes));
  let position = 0;
  /** Etcd's nodes share tokens of one kind only, so each endpoint has its own. */
  const tokens = new Map<Endpoint, Promise<string>>();

  const current = (): Endpoint => {
    const endpoint = endpoints[position % endpoints.length];
    if (endpoint === undefined) {
      throw new TypeError("etcd needs an endpoint");
    }
    return endpoint;
  };

  const moveOnFrom = (endpoint: Endpoint, reason: string): void => {
    tokens.delete(endpoint);
    endpoint.connection.reset(reason);
    if (endpoint === current()) {
      position++;
    }
  };

  const headersOf = async (endpoint: Endpoint): Promise<Record<string, string>> => {
    if (user === undefined) {
      return {};
    }
    let token = tokens.get(endpoint);
    if (token === undefined) {
      token = endpoint.auth
        .authenticate(user, { timeoutMs: callMs })
        .then((answer) => answer.token);
      tokens.set(endpoint, token);
      token.catch(() => tokens.delete(endpoint));
    }
    return { token: await token };
  };

  /** Calls the current endpoint; after an error that another one may not have, the next one is current. */
  const onCurrent = async <Result>(
    signal: AbortSignal,
    call: (endpoint: Endpoint, headers: Record<string, string>) => Promise<Result>,
  ): Promise<Result> => {
    const endpoint = current();
    try {
      return await call(endpoint, await headersOf(endpoint));
    } catch (error) {
      if (!(error instanceof ConnectError)) {
        // An error of the receiver, not of the endpoint.
        throw error;
      }
      if (isStaleToken(error)) {
        tokens.delete(endpoint);
      } else if (!signal.aborted && !isLasting(error) && !isTooLarge(error)) {
        moveOnFrom(endpoint, error.rawMessage);
      }
      throw error;
    }
  };

  return {
    async range(request, signal) {
      let problem: unknown;
      for (let round = 1; ; round++) {
        try {
          return await onCurrent(signal, ({ kv }, headers) =>
            kv.range(request, { headers, signal, timeoutMs: callMs }),
          );
        } catch (error) {
          if (signal.aborted) {
            throw problem ?? error;
          }
          problem = error;
          if (isLasting(ConnectError.from(error)) || isTooLarge(ConnectError.from(error))) {
            throw error;
          }
          if (round % endpoints.length === 0) {
            await delay(retryMs, undefined, { signal }).catch(() => undefined);
          }
        }
      }
    },
    tryTxn: (request, signal) =>
      onCurrent(signal, ({ kv }, headers) =>
        kv.txn(request, { headers, signal, timeoutMs: callMs }),
      ),
    watch: (request, receive, signal) =>
      onCurrent(signal, async ({ watch }, headers) => {
        const ending = new AbortController();
        const requests = createRequests();
        requests.push({ requestUnion: { case: "createRequest", value: request } });
        let silentRounds = 0;
        let isReceiving = false;
        // Counts rounds instead of time: a process that was busy itself has not read what has arrived.
        const timer = setInterval(() => {
          if (isReceiving) {
            return;
          }
          if (++silentRounds > maxSilentRounds) {
            ending.abort(new ConnectError("etcd does not answer on the watch", Code.Unavailable));
          }
          requests.push({ requestUnion: { case: "progressRequest", value: {} } });
        }, progressMs);
        try {
          const responses = watch.watch(requests.all(), {
            // Ends the watch when its node has lost its leader.
            headers: { ...headers, hasleader: "true" },
            signal: AbortSignal.any([signal, ending.signal]),
          });
          for await (const response of responses) {
            isReceiving = true;
            refuseCanceled(response);
            await receive(response);
            silentRounds = 0;
            isReceiving = false;
          }
          throw new ConnectError("the watch was ended", Code.Unavailable);
        } finally {
          clearInterval(timer);
          requests.end();
          ending.abort();
        }
      }),
    close() {
      for (const { connection } of endpoints) {
        connection.reset("closed");
      }
    },
  };
}

function createEndpoint(origin: string, tls: EtcdTls, readMaxBytes: number): Endpoint {
  const connection = createConnection(origin, tls, connectMs);
  const transport = createGrpcTransport({
    baseUrl: origin,
    sessionManager: connection,
    readMaxBytes,
    // A node is near, and its answers are mostly small.
    acceptCompression: [],
  });
  return {
    origin,
    connection,
    kv: createClient(KV, transport),
    watch: createClient(Watch, transport),
    auth: createClient(Auth, transport),
  };
}

/** A watch that asks for what has been compacted is canceled with that revision, which is for the caller. */
function refuseCanceled({ canceled, cancelReason, compactRevision }: WatchResponse): void {
  if (canceled && compactRevision === 0n) {
    const code = cancelReason.includes("permission denied")
      ? Code.PermissionDenied
      : Code.Unavailable;
    throw new ConnectError(cancelReason || "the watch was canceled", code);
  }
}

/** A stream of requests that is written while it is read. */
function createRequests() {
  const waiting: WatchRequest[] = [];
  let isEnded = false;
  let wake = (): void => undefined;
  return {
    push(request: MessageInitShape<typeof WatchRequestSchema>) {
      waiting.push(create(WatchRequestSchema, request));
      wake();
    },
    end() {
      isEnded = true;
      wake();
    },
    async *all(): AsyncGenerator<WatchRequest> {
      while (!isEnded) {
        const request = waiting.shift();
        if (request === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        } else {
          yield request;
        }
      }
    },
  };
}
