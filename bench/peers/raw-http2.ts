/*
 * A server of node:http2 that answers recorded bytes, whatever is asked, in the fastest plain way.
 *
 * Watches stay open; `/flood?COUNT` writes as many messages to each of them, a message to all in each turn, and
 * to a stream that is full when it has drained.
 */
import { createServer, type ServerHttp2Stream } from "node:http2";
import { readAnswers } from "./answers.ts";
import { announce } from "./announce.ts";

const { grpc, watch } = readAnswers(process.argv[2] ?? "");
const answers = new Map(
  Object.entries(grpc).map(([path, { headers, ...answer }]) => [
    path,
    { head: { ":status": 200, ...headers }, ...answer },
  ]),
);
const watchHead = { ":status": 200, "content-type": "application/grpc" };
const watches = new Set<ServerHttp2Stream>();
const options = { waitForTrailers: true };

const server = createServer({ settings: { maxConcurrentStreams: 1000 }, maxSessionMemory: 64 });
server.on("stream", (stream, { ":path": path = "" }) => {
  const answer = answers.get(path);
  if (answer !== undefined) {
    stream.respond(answer.head, options);
    stream.on("wantTrailers", () => {
      stream.sendTrailers(answer.trailers);
    });
    stream.end(answer.body);
  } else if (path.endsWith("/Watch")) {
    stream.respond(watchHead);
    stream.on("error", () => undefined);
    stream.on("close", () => watches.delete(stream));
    watches.add(stream);
  } else {
    flood(Number(path.split("?")[1]));
    stream.respond(watchHead, { endStream: true });
  }
});
announce(server);

function flood(count: number): void {
  const late = new Map<ServerHttp2Stream, number>();
  const writeTo = (stream: ServerHttp2Stream, left: number): void => {
    for (; left > 0; left--) {
      if (!stream.write(watch)) {
        late.set(stream, left - 1);
        stream.once("drain", () => {
          const due = late.get(stream) ?? 0;
          late.delete(stream);
          writeTo(stream, due);
        });
        return;
      }
    }
  };
  const commit = (left: number): void => {
    for (const stream of watches) {
      const due = late.get(stream);
      if (due === undefined) {
        writeTo(stream, 1);
      } else {
        late.set(stream, due + 1);
      }
    }
    if (left > 1) {
      setImmediate(commit, left - 1);
    }
  };
  commit(count);
}
