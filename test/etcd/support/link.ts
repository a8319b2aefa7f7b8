/*
 * The network between one server and etcd: a proxy for each node. It can be cut, held so that nothing comes
 * through in one direction or both while no connection ends, and delayed.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createPipe } from "./pipe.ts";
import { createRequestCounter } from "./request-counter.ts";

/** Requests go to etcd, answers come from it. */
export type Direction = "requests" | "answers";

/** The link of one server. It is closed at the end of the `await using` block. */
export interface Link extends AsyncDisposable {
  /** Where the server finds etcd: one URL for each node, in their order. */
  readonly urls: readonly string[];
  /** Ends all connections, and refuses new ones. */
  cut(): void;
  /** Holds what is sent in these directions. Default: both. */
  hold(...directions: Direction[]): void;
  /** Forwards again, first what was held. */
  heal(): void;
  /** Ends all connections and forwards those to come: what was held is lost. */
  reset(): void;
  /** Delays what is sent from now on in each direction, in ms. */
  delay(ms: number): void;
  /**
   * Cuts the link at the n-th request from now on, which reaches etcd or does not; its answer never comes.
   * The function tells whether that has happened.
   */
  cutAt(request: number, reaches: boolean): () => boolean;
  /** How many requests have come from the server. */
  readonly requests: number;
}

interface Connection {
  end(): void;
  flow(): void;
}

/** For how long a last request may be on its way to etcd, in ms. */
const lastRequestMs = 100;

/** Opens a link to nodes. */
export async function openLink(targets: readonly string[]): Promise<Link> {
  const connections = new Set<Connection>();
  const requests = { isOpen: true, delayMs: 0 };
  const answers = { isOpen: true, delayMs: 0 };
  let isCut = false;
  let requestCount = 0;
  let countdown: { left: number; readonly reaches: boolean } | undefined;

  const endAll = (): void => {
    for (const connection of connections) {
      connection.end();
    }
  };
  const cut = (): void => {
    isCut = true;
    countdown = undefined;
    endAll();
  };
  const heal = (): void => {
    isCut = false;
    requests.isOpen = true;
    answers.isOpen = true;
    for (const connection of connections) {
      connection.flow();
    }
  };
  /** Tells whether the chunk may pass. */
  const count = (begun: number): boolean => {
    requestCount += begun;
    if (countdown === undefined || begun === 0 || countdown.left === 0) {
      return true;
    }
    countdown.left = Math.max(0, countdown.left - begun);
    if (countdown.left > 0) {
      return true;
    }
    const { reaches } = countdown;
    if (reaches) {
      answers.isOpen = false;
      setTimeout(cut, lastRequestMs);
    } else {
      cut();
    }
    return reaches;
  };

  const accept = (client: Socket, { hostname, port }: URL): void => {
    client.on("error", () => undefined);
    if (isCut) {
      client.resetAndDestroy();
      return;
    }
    client.setNoDelay(true);
    const server = connect(Number(port), hostname).setNoDelay(true);
    server.on("error", () => undefined);
    const toServer = createPipe(requests, (chunk) => {
      deliver(server, chunk);
    });
    const toClient = createPipe(answers, (chunk) => {
      deliver(client, chunk);
    });
    const connection: Connection = {
      flow() {
        toServer.flow();
        toClient.flow();
      },
      end() {
        connections.delete(connection);
        toServer.clear();
        toClient.clear();
        client.resetAndDestroy();
        server.destroy();
      },
    };
    connections.add(connection);
    const countRequests = createRequestCounter();
    client.on("data", (chunk) => {
      if (count(countRequests(chunk))) {
        toServer.push(chunk);
      }
    });
    server.on("data", (chunk) => {
      toClient.push(chunk);
    });
    // The end of one side reaches the other as anything else does.
    client.on("close", () => {
      toServer.push(undefined);
    });
    server.on("close", () => {
      toClient.push(undefined);
    });
  };

  const listeners = await Promise.all(
    targets.map(async (target) => {
      const listener = createServer((socket) => {
        accept(socket, new URL(target));
      });
      await once(listener.listen({ port: 0, host: "127.0.0.1" }), "listening");
      return listener;
    }),
  );
  return {
    urls: listeners.map((listener, index) => urlOf(listener, targets[index] ?? "")),
    cut,
    hold(...directions) {
      const all = directions.length === 0;
      requests.isOpen &&= !all && !directions.includes("requests");
      answers.isOpen &&= !all && !directions.includes("answers");
    },
    heal,
    reset() {
      endAll();
      heal();
    },
    delay(ms) {
      requests.delayMs = ms;
      answers.delayMs = ms;
    },
    cutAt(request, reaches) {
      const own = { left: request, reaches };
      countdown = own;
      return () => own.left === 0;
    },
    get requests() {
      return requestCount;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await Promise.all(listeners.map((listener) => once(listener.close(), "close")));
    },
  };
}

function deliver(to: Socket, chunk: Buffer | undefined): void {
  if (chunk === undefined) {
    to.destroy();
  } else {
    to.write(chunk);
  }
}

function urlOf(listener: Server, target: string): string {
  const { protocol } = new URL(target);
  return `${protocol}//127.0.0.1:${(listener.address() as AddressInfo).port}`;
}
