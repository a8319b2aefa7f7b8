import type { Shell } from "./shell.ts";

/** Shows how far a command with many steps is. */
export interface Progress {
  /** One more step is done. */
  advance(): void;
  end(): void;
}

/** How long a command may take before its progress is shown, and between two times, in ms. */
const patienceMs = 1_000;
const intervalMs = 100;

/**
 * Shows progress on a terminal, of commands that take longer than a second.
 *
 * @param describe - says how far it is, from the number of steps that are done
 */
export function createProgress(shell: Shell, describe: (done: number) => string): Progress {
  let done = 0;
  let due = shell.now() + patienceMs;
  return {
    advance() {
      done++;
      if (shell.now() >= due) {
        due = shell.now() + intervalMs;
        shell.showProgress(describe(done));
      }
    },
    end() {
      shell.showProgress(undefined);
    },
  };
}
