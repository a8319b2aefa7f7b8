import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { CreateWasmExtensionRequestSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { createStore } from "../../src/catalog/store.ts";
import { createExtension } from "../../src/catalog/writes/extension-writes.ts";
import { decideNow, type Plan } from "../../src/catalog/writes/plan.ts";
import { openMemoryJournal } from "../support/journal.ts";
import { acme, ext } from "../support/acme.ts";
import { storedExtensions } from "../support/stored.ts";

const creation = (name: string) =>
  createExtension(
    create(CreateWasmExtensionRequestSchema, {
      parent: acme,
      name,
      wasmExtension: { url: "oci://x" },
    }),
  );

test("a commit that was decided on a state that is past is refused, and overwrites nothing", async () => {
  const store = createStore();
  const [first, second] = [openMemoryJournal(store), openMemoryJournal(store)];
  const plan = creation("a");
  const slow: Plan<unknown> = {
    ...plan,
    *decide(state) {
      const decision = decideNow(plan, state);
      // Whoever writes past the queue of the journal does so now.
      void second.write(creation("b"));
      return decision;
    },
  };
  await expect(first.write(slow)).rejects.toThrow(RangeError);
  expect([...storedExtensions(store).keys()]).toEqual([ext("b")]);
});
