/* A call whose answer is read as it comes, over either version of HTTP. */
import { request as httpRequest } from "node:http";
import { connect as connectHttp2, constants, type IncomingHttpHeaders } from "node:http2";
import type { Received, Sent } from "./exchange.ts";

/** An answer on its way. */
export interface RawStream {
  /** How many messages have come. */
  messages(): number;
  /** All of it, when it has ended; or the error that the connection has ended with. */
  readonly ended: Promise<Received | Error>;
  /** Gives the call up. */
  cancel(): void;
}

/** Makes a call, on a connection of its own. */
export function openStream(port: number, { path, headers, body }: Sent, http: 1 | 2): RawStream {
  const { promise, resolve } = Promise.withResolvers<Received | Error>();
  const chunks: Buffer[] = [];
  let answer: IncomingHttpHeaders = {};
  const counter = createCounter();
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk);
    counter.add(chunk);
  };
  const onEnd = (status: number): void => {
    const fields = Object.entries(answer).filter(([name]) => !name.startsWith(":"));
    const all = new Headers(fields.map(([name, value]): [string, string] => [name, String(value)]));
    resolve({ status, headers: all, body: Buffer.concat(chunks) });
  };
  const messages = (): number => counter.count;
  if (http === 1) {
    const request = httpRequest(
      { host: "127.0.0.1", port, path, method: "POST", agent: false, headers },
      (response) => {
        answer = response.headers;
        response.on("data", onData).on("error", resolve);
        response.on("end", () => {
          onEnd(response.statusCode ?? 0);
        });
      },
    );
    request.on("error", resolve).end(body);
    return { messages, ended: promise, cancel: () => void request.destroy() };
  }
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({ ":path": path, ":method": "POST", ...headers });
  const take = (more: IncomingHttpHeaders): void => void (answer = { ...answer, ...more });
  stream.on("response", take).on("trailers", take).on("data", onData).on("error", resolve);
  stream.on("end", () => {
    onEnd(Number(answer[":status"]));
    session.close();
  });
  stream.end(body);
  session.on("error", resolve);
  return {
    messages,
    ended: promise,
    cancel() {
      stream.close(constants.NGHTTP2_CANCEL);
      session.close();
    },
  };
}

/** Counts messages in a body that comes in chunks. */
function createCounter() {
  let count = 0;
  /** What has come of the head of a message, and how much is missing of its content. */
  let head: Buffer = Buffer.alloc(0);
  let missing = 0;
  return {
    get count() {
      return count;
    },
    add(chunk: Buffer): void {
      for (let at = 0; at < chunk.byteLength;) {
        if (missing === 0) {
          const taken = chunk.subarray(at, at + 5 - head.byteLength);
          head = Buffer.concat([head, taken]);
          at += taken.byteLength;
          if (head.byteLength < 5) {
            return;
          }
          missing = head.readUInt32BE(1);
          head = Buffer.alloc(0);
        } else {
          const length = Math.min(missing, chunk.byteLength - at);
          at += length;
          missing -= length;
        }
        count += missing === 0 ? 1 : 0;
      }
    },
  };
}
