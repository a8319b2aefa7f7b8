import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { DeleteWasmExtensionRequestSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { deleteExtension } from "../../src/catalog/writes/extension-writes.ts";
import { createStore, type Sink, type Store } from "../../src/catalog/store.ts";
import { catalogOn, openMemoryJournal } from "../support/journal.ts";
import { createAcme, ext, red } from "../support/acme.ts";

/** A sink that gives a turn back after each step, and says so. */
function stepping(store: Store, onStep: (step: number) => void): Sink {
  let step = 0;
  return {
    get state() {
      return store.state;
    },
    turns: {
      begin: () => () => true,
      next: () => {
        onStep(step++);
        return Promise.resolve();
      },
    },
    restore: () => undefined,
    apply: (commit, prepared) => {
      store.apply(commit, prepared);
    },
  };
}

test("a write that is given up at any step leaves everything as it was", async () => {
  const store = createStore();
  const { put, attach } = createAcme({ catalog: catalogOn(store) });
  await put("a");
  for (let index = 0; index < 5; index++) {
    await attach(`${red}/workspaces/w/securitygroups/s${index}`, [{ fqn: ext("a") }]);
  }
  const { state } = store;
  const plan = deleteExtension(create(DeleteWasmExtensionRequestSchema, { fqn: ext("a") }));
  const reason = new Error("given up");
  let steps = 0;
  for (let isDone = false; !isDone; steps++) {
    const controller = new AbortController();
    const sink = stepping(store, (step) => {
      // None is taken after it was given up.
      expect(step).toBeLessThanOrEqual(steps);
      if (step === steps) {
        controller.abort(reason);
      }
    });
    const write = openMemoryJournal(sink).write(plan, { signal: controller.signal });
    const error = await write.then(
      () => undefined,
      (raised: unknown) => raised,
    );
    isDone = !controller.signal.aborted;
    expect(error).toBe(isDone ? undefined : reason);
    expect(store.state === state).toBe(!isDone);
  }
  // Once for each attachment in deciding, and once for each in preparing, at least.
  expect(steps).toBeGreaterThanOrEqual(10);
});
