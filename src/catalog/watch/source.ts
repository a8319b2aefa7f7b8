/**
 * A stream of items. Its reader asks for the next one when it has room for it, so that a source that has
 * nothing to read holds its position alone. It lasts until it fails, or until it is interrupted.
 */
export interface Source<Item> {
  /**
   * What comes next: an item; `more` if there may be more to read when others have had a turn; or
   * `caught-up` if there is nothing to read before it notifies, and before `dueAt`.
   *
   * Raises what ends the stream.
   *
   * @param isOver - tells whether it is time to let others run
   */
  read(isOver: () => boolean): Item | "more" | "caught-up";
  /** When there is something to read even if it has not notified, by `performance.now`; Infinity for never. */
  readonly dueAt: number;
  /** Calls `notify` when there may be more to read. Returns a function that ends the subscription. */
  subscribe(notify: () => void): () => void;
  /** What is still to be sent when the stream is interrupted; undefined for nothing. Default: nothing. */
  last?(): Item | undefined;
  /** Tells the caller of an interrupted stream where to go on, as metadata of the error. Default: nothing. */
  readonly position?: Readonly<Record<string, string>>;
}

/** A source whose items are changed on their way. */
export function mappedSource<In extends object, Out>(
  source: Source<In>,
  map: (item: In) => Out,
): Source<Out> {
  return {
    read(isOver) {
      const read = source.read(isOver);
      return typeof read === "string" ? read : map(read);
    },
    get dueAt() {
      return source.dueAt;
    },
    subscribe: (notify) => source.subscribe(notify),
    last() {
      const item = source.last?.();
      return item && map(item);
    },
    get position() {
      return source.position ?? {};
    },
  };
}
