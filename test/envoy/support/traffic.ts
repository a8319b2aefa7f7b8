/* Requests through an Envoy, one by one or as a load, and what became of each. */
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { eventually } from "../../support/eventually.ts";
import { seenHeader } from "./upstream.ts";

/** What a request through an Envoy got. */
export interface Answer {
  /** 0 if the connection broke. */
  readonly status: number;
  /** The plugins that the request passed, in their order. */
  readonly requestChain: readonly string[];
  /** The plugins that the response passed, in their order. */
  readonly responseChain: readonly string[];
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** When the request began and its answer was whole, in ms of `performance.now()`. */
  readonly beganMs: number;
  readonly endedMs: number;
}

/** Sends one request over a connection of its own. */
export function send(port: number, path = "/", agent?: Agent): Promise<Answer> {
  const { promise, end } = beginAnswer();
  const call = request({ port, host: "127.0.0.1", path, agent: agent ?? false }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => (body += chunk));
    response.on("end", () => {
      end(response.statusCode, response.headers, body);
    });
    response.on("error", (error) => {
      end(0, {}, error.message);
    });
  });
  call.setTimeout(patienceMs, () => call.destroy(new Error(noAnswer)));
  call.on("error", (error) => {
    end(0, {}, error.message);
  });
  call.end();
  return promise;
}

const patienceMs = 10_000;
const noAnswer = `no answer within ${patienceMs} ms`;

/** Sends one request over a connection of HTTP/2. */
function sendOver(session: ClientHttp2Session, port: number): Promise<Answer> {
  const { promise, end } = beginAnswer();
  const stream = session.request({ ":path": "/", ":authority": `127.0.0.1:${port}` });
  let headers: IncomingHttpHeaders = {};
  let status = 0;
  let body = "";
  stream.setEncoding("utf8");
  stream.on("response", (received) => {
    headers = received;
    status = Number(received[":status"]);
  });
  stream.on("data", (chunk: string) => (body += chunk));
  stream.setTimeout(patienceMs, () => stream.destroy(new Error(noAnswer)));
  stream.on("error", (error: Error) => {
    end(0, {}, error.message);
  });
  stream.on("close", () => {
    end(status, headers, status === 0 ? "the stream ended" : body);
  });
  stream.end();
  return promise;
}

/** Begins an answer, which ends once. */
function beginAnswer() {
  const beganMs = performance.now();
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const end = (status: number | undefined, headers: IncomingHttpHeaders, body: string): void => {
    resolve({
      status: status ?? 0,
      requestChain: namesIn(headers[seenHeader]),
      responseChain: namesIn(headers["x-chain"]),
      headers,
      body,
      beganMs,
      endedMs: performance.now(),
    });
  };
  return { promise, end };
}

function namesIn(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(", ") : (header ?? "");
  return text === "" ? [] : text.split(", ");
}

/** A load of requests, which goes on until it is stopped. */
export interface Traffic extends AsyncDisposable {
  /** In the order in which they ended. */
  readonly answers: readonly Answer[];
  /** Resolves with the first answer, of those that begin from now on, that meets a condition. */
  next(what: string, condition: (answer: Answer) => boolean): Promise<Answer>;
  /** Stops; resolves with all answers. */
  stop(): Promise<readonly Answer[]>;
}

/** How much traffic there is. */
export interface TrafficOptions {
  /** Connections, each of which is kept. Default: 4. */
  readonly clients?: number;
  /** The pause of each client between an answer and its next request. Default: 1 ms. */
  readonly pauseMs?: number;
  /** Over HTTP/2, the clients share one connection. Default: 1.1. */
  readonly version?: "1.1" | "2";
}

/** Starts traffic to a port; it stops at the end of the `await using` block. */
export function startTraffic(
  port: number,
  { clients = 4, pauseMs = 1, version = "1.1" }: TrafficOptions = {},
): Traffic {
  const answers: Answer[] = [];
  let isStopped = false;
  let session: ClientHttp2Session | undefined;
  const open = (): ClientHttp2Session => {
    session = connect(`http://127.0.0.1:${port}`);
    // What it means for requests is told by each of them.
    return session.on("error", () => undefined);
  };
  const work = Array.from({ length: clients }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sendNext = (): Promise<Answer> =>
      version === "1.1"
        ? send(port, "/", agent)
        : sendOver(session?.closed === false && !session.destroyed ? session : open(), port);
    while (!isStopped) {
      answers.push(await sendNext());
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    agent.destroy();
  });
  const stop = async (): Promise<readonly Answer[]> => {
    isStopped = true;
    await Promise.all(work);
    session?.close();
    return answers;
  };
  return {
    answers,
    next(what, condition) {
      const fromMs = performance.now();
      let seen = answers.length;
      return eventually(what, () => {
        const found = answers
          .slice(seen)
          .find((answer) => answer.beganMs >= fromMs && condition(answer));
        seen = answers.length;
        return found;
      });
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** How often each chain was passed by answers with status 200, and how many others there were. */
export function tally(answers: readonly Answer[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, requestChain, body } of answers) {
    const key = status === 200 ? requestChain.join(",") : `${status} ${body}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
