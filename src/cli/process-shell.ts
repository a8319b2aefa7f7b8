import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import type { ReadStream, WriteStream } from "node:tty";
import type { Shell } from "./shell.ts";

/** The streams of a process. */
export interface Streams {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
}

/** Clears the line that the cursor is in, and puts the cursor to its beginning. */
const clearLine = "\r\u001b[K";

/** The shell of a real process. */
export function createProcessShell(
  { stdin, stdout, stderr }: Streams,
  { version, serve }: Pick<Shell, "version" | "serve">,
): Shell {
  const closed = new AbortController();
  // Nobody who reads what is printed is no error: commands that write end what they have begun, and
  // those that only print come to their end.
  stdout.on("error", () => {
    closed.abort();
  });
  stderr.on("error", () => undefined);
  let isProgressShown = false;
  const showProgress = (text: string | undefined): void => {
    if (stderr.isTTY && (text !== undefined || isProgressShown)) {
      isProgressShown = text !== undefined;
      stderr.write(`${clearLine}${text ?? ""}`);
    }
  };
  return {
    version,
    async print(text) {
      showProgress(undefined);
      if (closed.signal.aborted || text === "" || stdout.write(text)) {
        return;
      }
      await Promise.race([once(stdout, "drain"), once(closed.signal, "abort")]).catch(
        () => undefined,
      );
    },
    say(line) {
      showProgress(undefined);
      stderr.write(`${line}\n`);
    },
    showProgress,
    hasColours: stdout.isTTY && stdout.hasColors(),
    closed: closed.signal,
    readInput: () => buffer(stdin),
    now: () => performance.now(),
    serve,
  };
}
