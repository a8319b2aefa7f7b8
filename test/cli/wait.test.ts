import { expect, test } from "vitest";
import { createAcme, ext, redIngress } from "../support/acme.ts";
import { runCli } from "../support/cli.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/stream.ts";

test("wait says that it has lost the server", async () => {
  const catalog = createAcme();
  await catalog.put("a");
  await catalog.attach(redIngress, [{ fqn: ext("a") }]);
  let watchers = 0;
  const { journal, reader } = catalog;
  const { commitNotifier } = reader;
  const watched: typeof commitNotifier = Object.create(commitNotifier, {
    subscribe: {
      value: (...asked: Parameters<typeof commitNotifier.subscribe>) => {
        watchers++;
        return commitNotifier.subscribe(...asked);
      },
    },
  }) as typeof commitNotifier;
  const seen = Object.create(reader, { commitNotifier: { value: watched } }) as typeof reader;
  const server = await startServer({ catalog: { reader: seen, journal } });
  const waiting = runCli(["wait", redIngress, "--server", server.url, "--timeout", "3s"]);
  await until(() => watchers > 0, "the command waits");
  // What was sent before has arrived when this has been answered.
  await runCli(["status", redIngress, "--server", server.url]);
  await server[Symbol.asyncDispose]();
  const { exitCode, stderr } = await waiting;
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/no proxy is connected that should run it, when the server was lost: ./);
});
