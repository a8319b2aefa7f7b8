/** Is raised if a stream ends because its signal was aborted, to add metadata to the reason. */
export class Interrupted extends Error {
  /** What the signal was aborted with. */
  readonly reason: unknown;
  /** Additional metadata of the error, for programs. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(reason: unknown, metadata: Readonly<Record<string, string>>) {
    super("the call was interrupted");
    this.reason = reason;
    this.metadata = metadata;
  }
}
