/* A server of node:http that answers recorded bytes, in the fastest plain way. */
import { createServer } from "node:http";
import { readAnswers } from "./answers.ts";
import { announce } from "./announce.ts";

const answers = new Map(Object.entries(readAnswers(process.argv[2] ?? "").http1));

announce(
  createServer((request, response) => {
    const answer = answers.get(request.headers["content-type"] ?? "");
    request.resume();
    request.on("end", () => {
      response.writeHead(answer === undefined ? 415 : 200, answer?.headers);
      response.end(answer?.body);
    });
  }),
);
