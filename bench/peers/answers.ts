/* What wasmext answers, recorded for the peers that answer the same bytes. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type IncomingMessage, request as requestHttp1 } from "node:http";
import { connect } from "node:http2";
import { buffer } from "node:stream/consumers";
import type { Call } from "./calls.ts";

/** An answer. */
export interface Answer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string>>;
}

/** The recorded answers. */
export interface Answers {
  /** Of calls over gRPC, by their paths. */
  readonly grpc: Readonly<Record<string, Answer>>;
  /** Of Gets over HTTP/1.1, by their content types. */
  readonly http1: Readonly<Record<string, Answer>>;
  /** A message of a watch. */
  readonly watch: Buffer;
}

/** What Node adds to each answer by itself. */
const ofNode = new Set(["date", "connection", "keep-alive", "transfer-encoding"]);

function textsOf(headers: Record<string, unknown>): Record<string, string> {
  const entries = Object.entries(headers).filter(
    ([name]) => !name.startsWith(":") && !ofNode.has(name),
  );
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

/** Records the answer to a call over gRPC. */
export async function recordGrpc(port: number, { path, headers, body }: Call): Promise<Answer> {
  const session = connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  stream.end(body);
  const answered = once(stream, "response") as Promise<[Record<string, unknown>]>;
  const ended = once(stream, "trailers") as Promise<[Record<string, unknown>]>;
  const [[head], [tail], bytes] = await Promise.all([answered, ended, buffer(stream)]);
  session.close();
  if (tail["grpc-status"] !== "0") {
    throw new Error(`${path} ended with status ${String(tail["grpc-status"])}`);
  }
  return { headers: textsOf(head), body: bytes, trailers: textsOf(tail) };
}

/** Records the answer to a call over HTTP/1.1. */
export async function recordHttp1(port: number, { path, headers, body }: Call): Promise<Answer> {
  const request = requestHttp1({ port, path, method: "POST", headers, agent: false });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const bytes = await buffer(response);
  if (response.statusCode !== 200) {
    throw new Error(`${path} was answered with ${response.statusCode ?? 0}: ${bytes.toString()}`);
  }
  return { headers: textsOf(response.headers), body: bytes, trailers: {} };
}

/** Answers as a text that `readAnswers` reads. */
export function formatAnswers(answers: Answers): string {
  return JSON.stringify(answers, (_, value: unknown) => value);
}

/** Reads recorded answers from a file. */
export function readAnswers(path: string): Answers {
  return JSON.parse(readFileSync(path, "utf8"), (_, value: unknown) =>
    isBuffer(value) ? Buffer.from(value.data) : value,
  ) as Answers;
}

/** A Buffer as JSON has it. */
function isBuffer(value: unknown): value is { data: number[] } {
  return typeof value === "object" && value !== null && "type" in value && value.type === "Buffer";
}
