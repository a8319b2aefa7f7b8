import { ConnectError } from "@connectrpc/connect";
import { explainError, Failure, isRefusal } from "./failure.ts";
import type { Shell } from "./shell.ts";
import { complain } from "./text.ts";

/**
 * Does something to one object after the other, and goes on after one that a server refuses.
 *
 * Raises a Failure at the end if one was refused, and at once if the server is lost.
 */
export async function forEachObject(
  shell: Shell,
  { fqns, server }: { fqns: readonly string[]; server: string },
  act: (fqn: string) => Promise<void>,
): Promise<void> {
  let hasFailed = false;
  for (const [index, fqn] of fqns.entries()) {
    try {
      await act(fqn);
    } catch (error) {
      if (!(error instanceof ConnectError)) {
        throw error;
      }
      const lines = explainError(error, server);
      if (!isRefusal(error)) {
        const remaining = fqns.length - index;
        throw new Failure(remaining > 1 ? [...lines, `${remaining} objects remain`] : lines);
      }
      hasFailed = true;
      complain(
        shell,
        lines.map((line) => (line.includes(fqn) ? line : `${fqn}: ${line}`)),
      );
    }
  }
  if (hasFailed) {
    throw new Failure([]);
  }
}
