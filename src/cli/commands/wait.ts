import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { Argument, type Command, Option } from "commander";
import type { Status } from "../../../gen/wasmext/v1/proxy_pb.ts";
import type { Clients } from "../clients.ts";
import { clientCommand, type ConnectionOptions } from "../connection.ts";
import { duration } from "../duration.ts";
import { Failure, isRefusal } from "../failure.ts";
import { objectArgument } from "../fqn-argument.ts";
import { withSession } from "../session.ts";
import type { Shell } from "../shell.ts";
import { printable } from "../text.ts";

interface WaitOptions extends ConnectionOptions {
  readonly for: "running";
  /** In seconds. */
  readonly timeout: number;
}

/** How long to wait before a lost connection is made again, in ms. */
const retryMs = 200;

/** Builds the command `wait`. */
export function waitCommand(shell: Shell): Command {
  return clientCommand("wait")
    .description("Wait until an extension, or what a target attaches, runs on all its proxies.")
    .addArgument(new Argument("<fqn>", "extension or target").argParser(objectArgument))
    .addOption(
      new Option("--for <state>", "what to wait for").choices(["running"]).default("running"),
    )
    .addOption(
      new Option("--timeout <duration>", "how long to wait, such as 30s or 5m")
        .default(30, "30s")
        .argParser(duration(86_400)),
    )
    .addHelpText("after", examples)
    .action(async (fqn: string, { timeout, ...options }: WaitOptions) => {
      await withSession(options, async (clients) => {
        const late = AbortSignal.timeout(timeout * 1000);
        const ending = new AbortController();
        const signal = AbortSignal.any([shell.closed, late, ending.signal]);
        const { status, lost } = await waitForRunning(clients, fqn, signal).finally(() => {
          // A stream that is not read to its end would keep the process alive.
          ending.abort();
        });
        if (status !== undefined && isRunning(status)) {
          await shell.print(`${fqn} ${printable(status.summary)}\n`);
        } else if (late.aborted) {
          const known = status?.summary ?? "its status is not known";
          const last = lost === undefined ? known : `${known}, when the server was lost: ${lost}`;
          throw new Failure(`${fqn}: not within ${timeout} s: ${last}`);
        } else {
          throw new Failure([]);
        }
      });
    });
}

const examples = `
The exit code is 0 as soon as it runs on every connected proxy that should run it, and 1 if it does not in time.

Examples:
  wasmext apply -f waf.yaml && wasmext wait organizations/org/extensions/waf --timeout 1m`;

function isRunning({ proxies, running }: Status): boolean {
  return proxies > 0 && running === proxies;
}

/** What has been seen. */
interface Waited {
  /** The last status. */
  readonly status: Status | undefined;
  /** Why the server does not say more; undefined if it does. */
  readonly lost?: string | undefined;
}

/** Waits until it is running, or the signal is aborted. */
async function waitForRunning(
  { proxies }: Clients,
  fqn: string,
  signal: AbortSignal,
): Promise<Waited> {
  let last: Status | undefined;
  let lost: string | undefined;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    try {
      for await (const { status } of proxies.watchStatus({ fqn }, { signal, timeoutMs: 0 })) {
        last = status;
        lost = undefined;
        if (status !== undefined && isRunning(status)) {
          return { status };
        }
      }
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      if (isOver()) {
        break;
      }
      lost = rawMessage;
      // A server that is not reached at first is not waited for; one that has been is.
      if (isRefusal(error as ConnectError) || last === undefined || code === Code.Unimplemented) {
        throw error;
      }
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
  }
  return { status: last, lost };
}
