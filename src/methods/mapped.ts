/** How a stream is changed on its way. */
export interface Mapping<In, Out> {
  /** Changes a message. Default: it stays as it is. */
  readonly message?: (message: In) => Out;
  /** Is called when the stream has ended without an error. */
  readonly end?: () => void;
  /** Changes an error that ends the stream. */
  readonly error?: (error: unknown) => unknown;
}

/**
 * A stream that is changed on its way. A generator would do the same with three promises for each message
 * instead of one, and a watch sends many.
 */
export function mapped<In, Out = In>(
  messages: AsyncIterable<In>,
  { message, end, error = (raised) => raised }: Mapping<In, Out>,
): AsyncIterable<Out> {
  const step = (result: IteratorResult<In>): IteratorResult<Out> => {
    if (result.done !== true) {
      return message === undefined
        ? (result as unknown as IteratorResult<Out>)
        : { done: false, value: message(result.value) };
    }
    end?.();
    return { done: true, value: undefined };
  };
  const fail = (raised: unknown): never => {
    throw error(raised);
  };
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      return {
        next: () => iterator.next().then(step, fail),
        async return() {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
