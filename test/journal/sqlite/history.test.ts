/* How much history a file keeps. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openCatalog } from "../../../src/journal/catalog.ts";
import { createHistoryBounds } from "../../../src/journal/sqlite/history-bounds.ts";
import type { SqliteJournalOptions } from "../../../src/journal/sqlite/journal.ts";
import { acme, createAcme } from "../../support/acme.ts";
import { createFileMedium, type FileMedium } from "./medium.ts";

/** Opens a file, writes commits to it, and closes it; returns the revisions that were kept at first. */
async function writeTo(
  medium: FileMedium,
  count: number,
  options: SqliteJournalOptions = {},
): Promise<{ oldest: bigint; kept: number; latest: bigint }> {
  const catalog = await openCatalog(medium.createJournal(options));
  const { history, state } = catalog.reader;
  const found = { oldest: history.oldest(acme), kept: history.length, latest: state.revision };
  const { put } = createAcme({ catalog });
  for (let index = 0; index < count; index++) {
    await put("a", { priority: Number(state.revision) + index + 1 });
  }
  await catalog.journal.close();
  return found;
}

describe("the history of a file", () => {
  test("ends where as many commits are kept as may be", async () => {
    await using medium = createFileMedium();
    await writeTo(medium, 12, { history: { maxCommits: 5 } });
    expect(await writeTo(medium, 1, { history: { maxCommits: 5 } })).toEqual({
      oldest: 8n,
      kept: 5,
      latest: 12n,
    });
    expect(await writeTo(medium, 0)).toEqual({ oldest: 9n, kept: 5, latest: 13n });
  });

  test("ends where as much memory is kept as may be, and holds the latest commit at least", async () => {
    await using medium = createFileMedium();
    await writeTo(medium, 12, { history: { maxWeight: 1 } });
    expect(await writeTo(medium, 0)).toEqual({ oldest: 12n, kept: 1, latest: 12n });
  });

  test("ends where commits are too old", async () => {
    await using medium = createFileMedium();
    const day = 24 * 60 * 60 * 1000;
    let now = Date.now() - 2 * day;
    const clock = { now: () => now };
    await writeTo(medium, 3, clock);
    now += day / 2;
    await writeTo(medium, 3, clock);
    now += day / 2 + 1;
    await writeTo(medium, 1, clock);
    expect(await writeTo(medium, 0, clock)).toEqual({ oldest: 4n, kept: 4, latest: 7n });
    // Those that have become too old while no server ran are not kept when one starts.
    now = Date.now() + day;
    const { reader, journal } = await openCatalog(medium.createJournal(clock));
    expect(reader.history.length).toBe(0);
    expect(reader.history.oldest(acme)).toBe(8n);
    await journal.close();
  });
});

test("bounds hold as a list of all that is there says, and count nothing that failed", () => {
  const limits = { maxCommits: 6, maxWeight: 20, maxAgeMs: 10 };
  const anyBatch = fc.record({
    commits: fc.array(fc.record({ weight: fc.nat(9), passed: fc.nat(4) }), {
      minLength: 1,
      maxLength: 4,
    }),
    fails: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyBatch, { maxLength: 40 }), (batches) => {
      const bounds = createHistoryBounds(limits);
      let model: { revision: bigint; time: number; weight: number }[] = [];
      let [revision, time] = [0n, 0];
      for (const { commits, fails } of batches) {
        const added = commits.map(({ weight, passed }, index) => {
          time += passed;
          return { revision: revision + BigInt(index) + 1n, time, weight };
        });
        const kept = bounds.after(added);
        if (fails) {
          continue;
        }
        kept.accept();
        revision += BigInt(added.length);
        const before = [...model, ...added];
        model = before;
        const isTooMuch = (): boolean =>
          model.length > limits.maxCommits ||
          model.reduce((sum, { weight }) => sum + weight, 0) > limits.maxWeight ||
          (model[0]?.time ?? 0) < time - limits.maxAgeMs;
        while (model.length > 1 && isTooMuch()) {
          model = model.slice(1);
        }
        expect(kept.floor).toBe(model[0]?.revision);
        expect(bounds.floor).toBe(model[0]?.revision);
        expect(kept.drops).toBe(model.length < before.length);
      }
    }),
  );
});
