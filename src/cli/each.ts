import { ConnectError } from "@connectrpc/connect";
import { explainError, Failure, isRefusal } from "./failure.ts";
import type { Shell } from "./shell.ts";
import { complain } from "./text.ts";

/** What to do to each of several objects. */
export interface Work<Item> {
  /** Is emptied as the work goes on, so that what is done can be freed. */
  readonly items: Item[];
  /** The server's address. */
  readonly server: string;
  /** Does it to one object. */
  readonly act: (item: Item) => Promise<void>;
  /** Says why one was refused, by a server or by the command itself, one problem a line. */
  readonly explain: (item: Item, error: ConnectError | Failure) => readonly string[];
}

/** How work on several objects ended. */
export interface Tally {
  readonly refused: number;
  /** What was not done because the server was lost. The outcome of the first is unknown. */
  readonly remaining: number;
  /** Why the work has failed; undefined if all of it is done. */
  readonly failure: Failure | undefined;
}

/**
 * Does something to one object after the other. A refusal does not stop it; a lost server does.
 */
export async function forEachObject<Item extends object | string>(
  shell: Shell,
  { items, server, act, explain }: Work<Item>,
): Promise<Tally> {
  let refused = 0;
  items.reverse();
  for (let item = items.pop(); item !== undefined; item = items.pop()) {
    try {
      await act(item);
    } catch (error) {
      if (!(error instanceof ConnectError || error instanceof Failure)) {
        throw error;
      }
      if (error instanceof ConnectError && !isRefusal(error)) {
        const failure = new Failure(explainError(error, server));
        return { refused, remaining: items.length + 1, failure };
      }
      refused++;
      complain(shell, explain(item, error));
    }
  }
  return { refused, remaining: 0, failure: refused === 0 ? undefined : new Failure([]) };
}

/** Does something to each of the objects that a person has named. Raises a Failure if one was refused. */
export async function forEachNamed(
  shell: Shell,
  { fqns, server }: { fqns: readonly string[]; server: string },
  act: (fqn: string) => Promise<void>,
): Promise<void> {
  const explain = (fqn: string, error: ConnectError | Failure): string[] => {
    const lines = error instanceof Failure ? error.lines : explainError(error, server);
    return lines.map((line) => (line.includes(fqn) ? line : `${fqn}: ${line}`));
  };
  const { failure, remaining } = await forEachObject(shell, {
    items: [...fqns],
    server,
    act,
    explain,
  });
  if (remaining > 1) {
    await shell.print(`${remaining} remaining\n`);
  }
  if (failure !== undefined) {
    throw failure;
  }
}
