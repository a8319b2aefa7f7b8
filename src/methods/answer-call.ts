/*
 * How calls are answered: accepted, authorized, handled, and recorded if they write. Every front end goes
 * through here, so none has a rule of its own.
 */
import { credentialsExpired, grantsChanged } from "../catalog/errors.ts";
import type { Answer } from "./answer.ts";
import type { Audit } from "./audit.ts";
import { authorize } from "./authorize.ts";
import type { Access, Call, ConversationMethod, UnaryMethod } from "./method.ts";
import { timer } from "./timer.ts";

/**
 * Answers a call that has one answer. A read is answered at once, where nothing has to be waited for; a write
 * when it has been recorded.
 */
export function answerUnary<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  call: Call,
): Answer<Response> | Promise<Answer<Response>> {
  const fqn = writtenBy(method.access, request);
  return call.audit === undefined || fqn === undefined
    ? answerOf(method, request, call)
    : answerRecorded(call.audit, fqn, method, request, call);
}

async function answerRecorded<Request, Response>(
  audit: Audit,
  fqn: string,
  method: UnaryMethod<Request, Response>,
  request: Request,
  call: Call,
): Promise<Answer<Response>> {
  const { principal, origin, signal } = call;
  let revision: bigint | undefined;
  let error: unknown;
  const onCommit = (made: bigint): void => {
    revision = made;
  };
  await audit.ready();
  let answer: Answer<Response> | undefined;
  try {
    // A call may have getters, which are not spread.
    answer = await answerOf(method, request, { ...call, origin, signal, onCommit });
  } catch (raised) {
    error = raised;
  }
  await audit.record({ principal, method: call.method, fqn, revision, error, origin });
  if (answer === undefined) {
    throw error;
  }
  return answer;
}

/** The fqn of what a request writes, as it was sent; undefined if the method only reads. */
function writtenBy<Request>(access: Access<Request>, request: Request): string | undefined {
  return typeof access === "string" || access.permission === "READ"
    ? undefined
    : (access.written ?? access.resource)(request);
}

function answerOf<Request, Response>(
  { accept, access, handle }: UnaryMethod<Request, Response>,
  request: Request,
  call: Call,
): Answer<Response> | Promise<Answer<Response>> {
  const accepted = accept(request);
  authorize(access, accepted, call.principal, call.reader.state);
  return handle(accepted, call);
}

/**
 * Answers a stream of requests, until they end, the credentials of the caller expire, or its grants change.
 *
 * @param requestsUntil - the requests, until a signal is aborted: then it raises the reason
 */
export async function* answerConversation<Request, Response>(
  { handle }: ConversationMethod<Request, Response>,
  requestsUntil: (signal: AbortSignal) => AsyncIterable<Request>,
  call: Call,
): AsyncGenerator<Answer<Response>> {
  const { principal, watches } = call;
  const close = watches?.open(call);
  const ending = new AbortController();
  const signal = AbortSignal.any([call.signal, ending.signal]);
  const leave = principal.subscribe(() => {
    ending.abort(grantsChanged());
  });
  const stopTimer = timer(principal.expiresAt - Date.now(), () => {
    ending.abort(credentialsExpired());
  });
  let isOpen = true;
  // Nobody resumes a generator whose caller has gone while an answer is being written.
  const stop = (): void => {
    if (isOpen) {
      isOpen = false;
      close?.();
      leave();
      stopTimer();
      signal.removeEventListener("abort", stop);
    }
  };
  signal.addEventListener("abort", stop);
  try {
    yield* handle(requestsUntil(signal), { ...call, signal });
  } finally {
    stop();
  }
}
