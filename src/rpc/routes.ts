import type { Message } from "@bufbuild/protobuf";
import { ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import type { Answer } from "../methods/answer.ts";
import { mapped } from "../methods/mapped.ts";
import type { Call, ConversationMethod, StreamMethod, UnaryMethod } from "../methods/method.ts";
import type { MethodRow } from "../methods/table.ts";
import { encodedMessage, isBinary } from "./encoded-message.ts";
import { endedBy } from "./ended-by.ts";

/** What all calls have at hand. */
export type Environment = Pick<Call, "reader" | "journal" | "bookmarkIntervalMs">;

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

function unary({ accept, handle }: UnaryMethod<Message, Message>, environment: Environment) {
  return async (request: Message, context: HandlerContext): Promise<Message> => {
    const answer = await handle(accept(request), callOf(context, environment));
    return writerFor(context)(answer);
  };
}

function stream({ accept, handle }: StreamMethod<Message, Message>, environment: Environment) {
  return (request: Message, context: HandlerContext): AsyncIterable<Message> =>
    mapped(handle(accept(request), callOf(context, environment)), {
      message: writerFor(context),
      end: () => {
        throw ConnectError.from(context.signal.reason);
      },
    });
}

function conversation({ handle }: ConversationMethod<Message, Message>, environment: Environment) {
  return async function* (
    requests: AsyncIterable<Message>,
    context: HandlerContext,
  ): AsyncGenerator<Message> {
    const call = callOf(context, environment);
    const written = writerFor(context);
    for await (const request of endedBy(context.signal, requests)) {
      yield written(handle(request, call));
    }
  };
}

/** The author of all commits, where callers are not told apart. */
const anonymous = { name: "anonymous" };

function callOf({ method, signal }: HandlerContext, environment: Environment): Call {
  return { ...environment, principal: anonymous, method: method.name, signal };
}

/** How the answers of a call become messages. */
function writerFor(context: HandlerContext): (answer: Answer<Message>) => Message {
  const { output } = context.method;
  return isBinary(context)
    ? (answer) => encodedMessage(output, answer.bytes())
    : (answer) => answer.message();
}
