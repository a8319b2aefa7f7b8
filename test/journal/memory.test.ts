import { createMemoryJournal } from "../../src/journal/memory.ts";
import { describeJournal } from "./describe-journal.ts";

describeJournal("memory", () =>
  Promise.resolve({
    lasts: false,
    createJournal: () => createMemoryJournal(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }),
);
