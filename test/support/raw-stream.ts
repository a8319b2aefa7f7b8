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
  const onData = (chunk: Buffer): void => void chunks.push(chunk);
  const onEnd = (status: number): void => {
    const fields = Object.entries(answer).filter(([name]) => !name.startsWith(":"));
    const all = new Headers(fields.map(([name, value]): [string, string] => [name, String(value)]));
    resolve({ status, headers: all, body: Buffer.concat(chunks) });
  };
  const messages = (): number => countMessages(Buffer.concat(chunks));
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

function countMessages(body: Buffer): number {
  let count = 0;
  for (let at = 0; at + 5 <= body.byteLength;) {
    at += 5 + body.readUInt32BE(at + 1);
    count += at <= body.byteLength ? 1 : 0;
  }
  return count;
}
