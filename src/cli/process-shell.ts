import { once } from "node:events";
import type { ReadStream, WriteStream } from "node:tty";
import { readBounded } from "./read-bounded.ts";
import type { Shell } from "./shell.ts";

/** The streams of a process. */
export interface Streams {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
}

/** Clears the line that the cursor is in, and puts the cursor to its beginning. */
const clearLine = "\r\u001b[K";

/** What a shell needs from its process. */
export interface ProcessParts extends Pick<Shell, "version"> {
  /** Is called when output is lost, on a full disk for instance: the process has failed. */
  readonly fail: () => void;
}

/** The shell of a real process. */
export function createProcessShell(
  { stdin, stdout, stderr }: Streams,
  { version, fail }: ProcessParts,
): Shell {
  const closed = new AbortController();
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    // A closed pipe is not a failure: commands finish their writes.
    if (error.code !== "EPIPE" && !closed.signal.aborted) {
      stderr.write(`error: cannot write to standard output: ${error.message}\n`);
      fail();
    }
    closed.abort();
  });
  stderr.on("error", () => undefined);
  let progress: string | undefined;
  const showProgress = (text: string | undefined): void => {
    if (stderr.isTTY && (text !== undefined || progress !== undefined)) {
      progress = text;
      stderr.write(`${clearLine}${text ?? ""}`);
    }
  };
  // What is printed takes the place of the progress line, which moves below it.
  const aboveProgress = (write: () => boolean): boolean => {
    const shown = progress;
    showProgress(undefined);
    const hasRoom = write();
    showProgress(shown);
    return hasRoom;
  };
  return {
    version,
    async print(text) {
      if (closed.signal.aborted || text === "") {
        return;
      }
      const write = (): boolean => stdout.write(text);
      if (stdout.isTTY ? aboveProgress(write) : write()) {
        return;
      }
      // Rejects when the stream fails; the error listener above handles that.
      await once(stdout, "drain").catch(() => undefined);
    },
    say(line) {
      aboveProgress(() => stderr.write(`${line}\n`));
    },
    showProgress,
    hasColours: stdout.isTTY && stdout.hasColors(),
    hasErrorColours: stderr.isTTY && stderr.hasColors(),
    closed: closed.signal,
    readInput: (maxBytes) => readBounded(stdin, maxBytes),
    now: () => performance.now(),
  };
}
