import type { Message } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import type { Principal } from "../catalog/access/principal.ts";
import type { Answer } from "../methods/answer.ts";
import { mapped } from "../methods/mapped.ts";
import type { Call, ConversationMethod, StreamMethod, UnaryMethod } from "../methods/method.ts";
import { answerConversation, answerUnary } from "../methods/answer-call.ts";
import { iterate } from "../methods/iterate.ts";
import { openStream } from "../methods/open-stream.ts";
import type { MethodRow } from "../methods/table.ts";
import { encodedMessage, isBinary } from "./encoded-message.ts";
import { endedBy } from "./ended-by.ts";
import { originKey } from "./origin.ts";
import { principalKey } from "./principal.ts";

/** The parts of a call's context that are the same for all calls. */
export interface Environment extends Pick<
  Call,
  "reader" | "journal" | "bookmarkIntervalMs" | "audit" | "watches"
> {
  /** The caller, if the context of a call does not have one. */
  readonly principal?: Principal;
}

/** Serves the methods of a table over Connect: all protocols, codecs and kinds of streams. */
export function createRoutes(table: readonly MethodRow[], environment: Environment) {
  return (router: ConnectRouter): void => {
    for (const row of table) {
      router.rpc(row.desc, implementationOf(row, environment) as never);
    }
  };
}

function implementationOf(row: MethodRow, environment: Environment): unknown {
  switch (row.kind) {
    case "unary":
      return unary(row.method, environment);
    case "stream":
      return stream(row.method, environment);
    case "conversation":
      return conversation(row.method, environment);
  }
}

function unary(method: UnaryMethod<Message, Message>, environment: Environment) {
  return async (request: Message, context: HandlerContext): Promise<Message> => {
    const answer = await answerUnary(method, request, callOf(context, environment));
    return writerFor(context)(answer);
  };
}

function stream(method: StreamMethod<Message, Message>, environment: Environment) {
  return (request: Message, context: HandlerContext): AsyncIterable<Message> =>
    mapped(openAnswers(method, request, callOf(context, environment)), {
      message: writerFor(context),
    });
}

function openAnswers(method: StreamMethod<Message, Message>, request: Message, call: Call) {
  return iterate(openStream(method, request, call), call.signal, call.reader.turns);
}

function conversation(method: ConversationMethod<Message, Message>, environment: Environment) {
  return async function* (
    requests: AsyncIterable<Message>,
    context: HandlerContext,
  ): AsyncGenerator<Message> {
    const call = callOf(context, environment);
    const requestsUntil = (signal: AbortSignal): AsyncIterable<Message> =>
      endedBy(signal, requests);
    const written = writerFor(context);
    for await (const answer of answerConversation(method, requestsUntil, call)) {
      yield written(answer);
    }
  };
}

function callOf({ method, signal, values }: HandlerContext, environment: Environment): Call {
  const principal = values.get(principalKey) ?? environment.principal;
  if (principal === undefined) {
    throw new Error(`the context of ${method.name} has no caller`);
  }
  return { ...environment, principal, method: method.name, signal, origin: values.get(originKey) };
}

/** How the answers of a call become messages. */
function writerFor(context: HandlerContext): (answer: Answer<Message>) => Message {
  const { output } = context.method;
  return isBinary(context)
    ? (answer) => encodedMessage(output, answer.bytes())
    : (answer) => answer.message();
}
