#!/usr/bin/env node
/*
 * The entry of the program. The rest is loaded when signals are handled: loading takes longer than
 * anything else until a server is ready, and a server that is stopped meanwhile ends in good order.
 */
let stop = (): void => {
  process.exit(0);
};

if (process.argv[2] === "serve") {
  for (const signal of ["SIGTERM", "SIGINT"]) {
    // The listener stays, since a signal that has come is lost with it.
    process.on(signal, () => {
      stop();
    });
  }
}

const { run } = await import("./run.ts");
await run((onSignal) => {
  stop = onSignal;
});
