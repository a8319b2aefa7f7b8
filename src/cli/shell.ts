/** What commands know of the process that they run in. */
export interface Shell {
  /** The version of the program. */
  readonly version: string;
  /** Writes to standard output. Resolves when there is room for more, or when the pipe is closed. */
  print(text: string): Promise<void>;
  /** Writes a line to standard error. */
  say(line: string): void;
  /** Shows how far a long command is, on a terminal alone; undefined takes it away. */
  showProgress(text: string | undefined): void;
  /** Whether standard output shows colours. */
  readonly hasColours: boolean;
  /** Whether standard error does. */
  readonly hasErrorColours: boolean;
  /** Is aborted when the pipe of standard output is closed. */
  readonly closed: AbortSignal;
  /** Reads standard input to its end, or raises a TooLargeError after so many bytes. */
  readInput(maxBytes: number): Promise<Buffer>;
  /** Milliseconds since any fixed time, for durations. */
  now(): number;
}
