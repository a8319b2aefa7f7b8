/* What every journal promises; see src/journal/journal.ts. */
import { anyone } from "../../src/catalog/access/principal.ts";
import { everything } from "../../src/catalog/access/viewer.ts";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  CreateWasmExtensionRequestSchema,
  DeleteWasmExtensionRequestSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { SetAttachmentsRequestSchema } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { setAttachments } from "../../src/catalog/writes/attachment-writes.ts";
import type { Change, Commit } from "../../src/catalog/state/commit.ts";
import { CatalogError } from "../../src/catalog/errors.ts";
import {
  createExtension,
  deleteExtension,
  updateExtension,
} from "../../src/catalog/writes/extension-writes.ts";
import type { Plan } from "../../src/catalog/writes/plan.ts";
import { findExtension, type State } from "../../src/catalog/state/state.ts";
import { createStore, type Store } from "../../src/catalog/store.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { createWatchReader } from "../../src/catalog/watch/reader.ts";
import { eventsOf } from "../support/watched.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";

const acme = "organizations/acme";
const other = "organizations/other";
const ext = (name: string, parent = acme): string => `${parent}/extensions/${name}`;
const target = (index: number): string =>
  `${acme}/tenants/red/workspaces/w/securitygroups/s${index}`;

const creation = (name: string, parent = acme) =>
  createExtension(
    create(CreateWasmExtensionRequestSchema, { parent, name, wasmExtension: { url: "oci://x" } }),
  );
const update = (extension: WasmExtension, change: Partial<WasmExtension>) =>
  updateExtension({ ...extension, ...change });
const deletion = (name: string) =>
  deleteExtension(create(DeleteWasmExtensionRequestSchema, { fqn: ext(name) }));
const attaching = (index: number, name: string) =>
  setAttachments(
    create(SetAttachmentsRequestSchema, {
      attachmentSet: { fqn: target(index), extension: [{ fqn: ext(name) }] },
    }),
    anyone,
  );

/** Adds 1 to the priority of an extension, whatever it is when the plan is decided. */
function increment(name: string): Plan<number> {
  return {
    organization: acme,
    reads: [ext(name)],
    *decide(state) {
      const current = findExtension(state, ext(name))?.message;
      if (current === undefined) {
        throw new Error(`${name} does not exist`);
      }
      const priority = current.priority + 1;
      const plan = updateExtension({ ...current, priority });
      // Takes several turns, so that others get a chance to come between.
      for (let index = 0; index < 100; index++) {
        yield;
      }
      const decision = yield* stepsOf(plan, state);
      return { ...decision, answer: priority };
    },
  };
}

function* stepsOf<Answer>(plan: Plan<Answer>, state: State) {
  const work = plan.decide(state);
  for (;;) {
    const step = work.next();
    if (step.done === true) {
      return step.value;
    }
    yield;
  }
}

/** A place where a journal keeps what lasts. */
export interface Medium extends AsyncDisposable {
  /** Whether what is written is there when another journal is opened on it. */
  readonly lasts: boolean;
  /** Creates a journal on it, which is not open yet. */
  createJournal(): Journal;
  /** Makes the next commit fail that a journal on it tries to store; absent if none can fail. */
  failNextCommit?(): void;
}

interface Opened extends AsyncDisposable {
  readonly store: Store;
  readonly journal: Journal;
  /** The commits that the store was moved by, in order. */
  readonly commits: readonly Commit[];
}

/** The commits of acme that a store keeps, oldest first, without what depends on when it was loaded. */
function keptCommits(store: Store): Commit[] {
  const kept: Commit[] = [];
  for (let next = store.history.oldest(acme); ;) {
    const entry = store.history.first(acme, next);
    if (entry === undefined) {
      return kept;
    }
    const { revision, organization, changes, metadata } = entry;
    kept.push({ revision, organization, changes: changes.map(withoutWeight), metadata });
    next = revision + 1n;
  }
}

/** A weight is an estimate, which depends on what was weighed before. */
function withoutWeight(change: Change): Change {
  switch (change.kind) {
    case "put-extension":
      return { ...change, extension: { ...change.extension, weight: 0 } };
    case "put-attachments":
      return { ...change, attachmentSet: { ...change.attachmentSet, weight: 0 } };
    default:
      return change;
  }
}

/** What a watch of acme sees from a revision on. */
function watched(store: Store, startRevision: bigint): { revision: bigint; events: string[] }[] {
  const { incarnation } = store;
  const reader = createWatchReader(store, { parent: acme, startRevision, incarnation }, everything);
  const seen: { revision: bigint; events: string[] }[] = [];
  for (;;) {
    const read = reader.read(() => false);
    if (typeof read === "string") {
      return seen;
    }
    seen.push({ revision: read.revision, events: eventsOf(read.response) });
  }
}

/** What lasts of a store, but for its weights. */
function contentOf(store: Store) {
  return {
    revision: store.state.revision,
    incarnation: store.incarnation,
    extensions: storedExtensions(store),
    sets: storedSets(store),
  };
}

async function open(medium: Medium): Promise<Opened> {
  const store = createStore();
  const commits: Commit[] = [];
  const journal = medium.createJournal();
  await journal.open({
    get state() {
      return store.state;
    },
    turns: store.turns,
    restore: (restored) => {
      store.restore(restored);
    },
    apply: (commit, prepared) => {
      store.apply(commit, prepared);
      commits.push(commit);
    },
  });
  return { store, journal, commits, [Symbol.asyncDispose]: () => journal.close() };
}

/** Holds a journal to its promises. */
export function describeJournal(name: string, createMedium: () => Promise<Medium>): void {
  describe(`the ${name} journal`, () => {
    test("answers a write when the store has reached its revision", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, store } = opened;
      const before = store.state.revision;
      const stored = await journal.write(creation("a"));
      expect(store.state.revision).toBeGreaterThan(before);
      expect(storedExtensions(store).get(ext("a"))).toEqual(stored.message);
    });

    test("tells the revision of the commit before the write is answered", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, commits } = opened;
      const told: bigint[] = [];
      const onCommit = (revision: bigint): void => void told.push(revision);
      const { message } = await journal.write(creation("a"), { onCommit });
      await journal.write(increment("a"), { onCommit });
      expect(told).toEqual(commits.map(({ revision }) => revision));
      const current = { ...message, priority: message.priority + 1 };
      const unchanged = storedExtensions(opened.store).get(ext("a"));
      await journal.write(updateExtension({ ...current, etag: unchanged?.etag ?? "" }), {
        onCommit,
      });
      await expect(journal.write(creation("a"), { onCommit })).rejects.toThrow(CatalogError);
      expect(told).toHaveLength(2);
    });

    test("decides each of many writes at once on what those before it left", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, store, commits } = opened;
      await journal.write(creation("a"));
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => journal.write(increment("a"))),
      );
      expect(answers.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 50 }, (_, index) => index + 1),
      );
      expect(storedExtensions(store).get(ext("a"))?.priority).toBe(50);
      expect(commits).toHaveLength(51);
    });

    test("commits in the order of revisions, of all organizations", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, commits } = opened;
      await journal.write(creation("a"));
      await Promise.all([
        ...Array.from({ length: 20 }, () => journal.write(increment("a"))),
        ...Array.from({ length: 20 }, (_, index) => journal.write(creation(`e${index}`, other))),
      ]);
      const revisions = commits.map(({ revision }) => revision);
      expect(revisions).toEqual(revisions.toSorted((a, b) => Number(a - b)));
      expect(new Set(revisions).size).toBe(41);
      expect(new Set(commits.map(({ organization }) => organization))).toEqual(
        new Set([acme, other]),
      );
    });

    test("makes no commit of a plan without changes, and none of one that raises", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, store, commits } = opened;
      const { message } = await journal.write(creation("a"));
      const { state } = store;
      expect((await journal.write(updateExtension({ ...message }))).message).toEqual(message);
      await expect(journal.write(creation("a"))).rejects.toThrow(CatalogError);
      expect(store.state).toBe(state);
      expect(commits).toHaveLength(1);
      // Neither keeps later writes from being made.
      await journal.write(creation("b"));
      expect(commits).toHaveLength(2);
    });

    test("makes one commit of a cascade, which says what went with what", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, store, commits } = opened;
      await journal.write(creation("a"));
      for (let index = 0; index < 200; index++) {
        await journal.write(attaching(index, "a"));
      }
      await journal.write(deletion("a"), { author: "someone", reason: "DeleteWasmExtension" });
      const { changes, metadata } = commits.at(-1) ?? { changes: [], metadata: undefined };
      expect(changes).toHaveLength(201);
      expect(metadata).toMatchObject({ author: "someone", reason: "DeleteWasmExtension" });
      expect(Math.abs((metadata?.time ?? 0) - Date.now())).toBeLessThan(60_000);
      expect(metadata?.detached.map((each) => each.target).sort()).toEqual(
        [...storedSets(store).keys()].sort(),
      );
      expect(metadata?.detached[0]).toMatchObject({ position: 0, attachment: { fqn: ext("a") } });
      expect([...storedSets(store).values()].every(({ extension }) => extension.length === 0)).toBe(
        true,
      );
    });

    test("gives up a write whose signal is aborted, and leaves everything as it was", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, store } = opened;
      await journal.write(creation("a"));
      const controller = new AbortController();
      const busy = journal.write(increment("a"));
      const waiting = journal.write(increment("a"), { signal: controller.signal });
      const reason = new Error("nobody waits for it");
      controller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      expect(await busy).toBe(1);
      expect(storedExtensions(store).get(ext("a"))?.priority).toBe(1);
    });

    test("closes when what is under way has been answered, and takes no writes then", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, store } = opened;
      await journal.write(creation("a"));
      const writes = Array.from({ length: 20 }, () => journal.write(increment("a")));
      const closed = journal.close();
      const outcomes = await Promise.allSettled(writes);
      await closed;
      const answered = outcomes.filter(({ status }) => status === "fulfilled");
      expect(storedExtensions(store).get(ext("a"))?.priority).toBe(answered.length);
      const refusal = journal.write(creation("b"));
      await expect(refusal).rejects.toMatchObject({ refusal: { kind: "unavailable" } });
    });

    test("refuses what comes while it closes, so that it closes whoever goes on writing", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal } = opened;
      await journal.write(creation("a"));
      const busy = journal.write(increment("a"));
      const closed = journal.close();
      const refusal = journal.write(creation("b"));
      await expect(refusal).rejects.toMatchObject({ refusal: { kind: "unavailable" } });
      await closed;
      await busy;
    });

    test("takes no writes before it is open", async () => {
      await using medium = await createMedium();
      const refusal = medium.createJournal().write(creation("a"));
      await expect(refusal).rejects.toMatchObject({ refusal: { kind: "unavailable" } });
    });

    test("shows readers whole commits, in order, while many write", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, store } = opened;
      await journal.write(creation("a"));
      const start = store.state.revision + 1n;
      const attached = (): number =>
        [...storedSets(store).values()].filter(({ extension }) => extension.length > 0).length;
      const seen: [boolean, number][] = [];
      const unsubscribe = store.commitNotifier.subscribe(acme, () => {
        seen.push([storedExtensions(store).has(ext("a")), attached()]);
      });
      await Promise.all(
        Array.from({ length: 30 }, (_, index) => journal.write(attaching(index, "a"))),
      );
      await Promise.all([journal.write(deletion("a")), journal.write(creation("b"))]);
      unsubscribe();
      expect(seen.filter(([exists, count]) => !exists && count > 0)).toEqual([]);
      expect(seen.slice(0, 30).map(([, count]) => count)).toEqual(
        Array.from({ length: 30 }, (_, index) => index + 1),
      );
      expect(watched(store, start)).toHaveLength(32);
    });

    test("decides each of several writes at once on exactly what came before it", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal, store } = opened;
      // In one batch, where a journal has such: each is decided on what the one before it left.
      const outcomes = await Promise.allSettled([
        journal.write(creation("a")),
        journal.write(creation("a")),
        journal.write(attaching(1, "a")),
        journal.write(deletion("a")),
        journal.write(attaching(2, "a")),
        journal.write(creation("a")),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([
        ...["fulfilled", "rejected", "fulfilled", "fulfilled", "rejected", "fulfilled"],
      ]);
      expect([...storedExtensions(store).keys()]).toEqual([ext("a")]);
      expect([...storedSets(store)].map(([fqn, set]) => [fqn, set.extension])).toEqual([
        [target(1), []],
      ]);
    });

    test("gives each change an etag of its own, also one that restores what was before", async () => {
      await using medium = await createMedium();
      await using opened = await open(medium);
      const { journal } = opened;
      const etags = new Set<string>();
      let { message } = await journal.write(creation("a"));
      etags.add(message.etag);
      for (let round = 0; round < 3; round++) {
        for (const priority of [1, 0]) {
          ({ message } = await journal.write(update(message, { priority })));
          etags.add(message.etag);
        }
      }
      expect(etags.size).toBe(7);
    });

    test("refuses the writes of a commit that fails, changes nothing, and goes on", async () => {
      await using medium = await createMedium();
      if (medium.failNextCommit === undefined) {
        return;
      }
      const first = await open(medium);
      const { journal, store, commits } = first;
      const { message } = await journal.write(creation("kept"));
      await journal.write(attaching(1, "kept"));
      const before = contentOf(store);
      medium.failNextCommit();
      const failed = journal.write(deletion("kept"));
      await expect(failed).rejects.toMatchObject({ refusal: { kind: "unavailable" } });
      expect(contentOf(store)).toEqual(before);
      expect(commits).toHaveLength(2);
      // The next ones are made, and the one that failed can be repeated.
      await journal.write(update(message, { priority: 7 }));
      await journal.write(deletion("kept"));
      await journal.write(creation("kept"));
      const after = contentOf(store);
      const kept = keptCommits(store);
      await journal.close();
      if (medium.lasts) {
        await using second = await open(medium);
        expect(contentOf(second.store)).toEqual(after);
        expect(keptCommits(second.store)).toEqual(kept);
      }
    });

    test("answers nothing that was decided on a commit that fails", async () => {
      await using medium = await createMedium();
      if (medium.failNextCommit === undefined) {
        return;
      }
      await using opened = await open(medium);
      const { journal, store, commits } = opened;
      await journal.write(creation("a"));
      for (let round = 0; round < 10; round++) {
        const before = storedExtensions(store).get(ext("a"))?.priority ?? 0;
        const commitsBefore = commits.length;
        medium.failNextCommit();
        const names = ["b", "b", "b", "c", "b"].map((name) => `${name}${round}`);
        const outcomes = await Promise.allSettled([
          ...names.map((name) => journal.write(creation(name))),
          ...Array.from({ length: 20 }, () => journal.write(increment("a"))),
          ...names.map((name) => journal.write(creation(name, other))),
        ]);
        const answered = outcomes.filter(({ status }) => status === "fulfilled");
        const kinds = outcomes.flatMap((outcome) =>
          outcome.status === "rejected" ? [(outcome.reason as CatalogError).refusal] : [],
        );
        expect(kinds.some(({ kind }) => kind === "unavailable")).toBe(true);
        // What was answered is there, and nothing else.
        expect(commits.length - commitsBefore).toBe(answered.length);
        // A name is taken only if something has it.
        for (const { kind, metadata } of kinds) {
          if (kind === "already-exists") {
            expect(storedExtensions(store).has(metadata["fqn"] ?? "")).toBe(true);
          }
        }
        const increments = outcomes.slice(5, 25).filter(({ status }) => status === "fulfilled");
        const after = storedExtensions(store).get(ext("a"))?.priority;
        expect(after).toBe(before + increments.length);
      }
    });

    describe("after a restart", () => {
      test("holds what was answered, with its etags, and goes on", async () => {
        await using medium = await createMedium();
        if (!medium.lasts) {
          return;
        }
        const first = await open(medium);
        const { message } = await first.journal.write(creation("a"));
        const odd = {
          description: "ü \u{1f600} \u0000",
          config: { deep: [{ n: 1.5, none: null }] },
        };
        await first.journal.write(update(message, odd));
        await first.journal.write(creation("gone"));
        await first.journal.write(deletion("gone"));
        await first.journal.write(creation("e", other));
        await first.journal.write(attaching(1, "a"));
        const before = contentOf(first.store);
        await first.journal.close();
        await using second = await open(medium);
        expect(contentOf(second.store)).toEqual(before);
        await second.journal.write(creation("b"));
        expect(second.store.state.revision).toBeGreaterThan(before.revision);
        // An etag from before is still good.
        const current = before.extensions.get(ext("a"));
        expect(current).toBeDefined();
        if (current !== undefined) {
          await second.journal.write(update(current, { priority: 1 }));
          await expect(second.journal.write(update(current, { priority: 2 }))).rejects.toThrow(
            /has changed/,
          );
        }
      });

      test("holds all that was answered under load, and a part of nothing", async () => {
        await using medium = await createMedium();
        if (!medium.lasts) {
          return;
        }
        const first = await open(medium);
        await first.journal.write(creation("a"));
        const writes = [
          ...Array.from({ length: 20 }, () => first.journal.write(increment("a"))),
          ...Array.from({ length: 20 }, (_, index) => first.journal.write(attaching(index, "a"))),
          first.journal.write(deletion("a")),
          ...Array.from({ length: 20 }, (_, index) =>
            first.journal.write(creation(`e${index}`, other)),
          ),
        ];
        await Promise.all([...writes, first.journal.close()]);
        await using second = await open(medium);
        expect(contentOf(second.store)).toEqual(contentOf(first.store));
        expect(second.store.state.organizations.get(acme)?.targets.size).toBe(0);
      });

      test("watches resume, and commits still say who made them, why, and what went with them", async () => {
        await using medium = await createMedium();
        if (!medium.lasts) {
          return;
        }
        const first = await open(medium);
        const start = first.store.state.revision + 1n;
        await first.journal.write(creation("a"), { author: "ann", reason: "CreateWasmExtension" });
        await first.journal.write(attaching(1, "a"), { author: "bob" });
        await first.journal.write(creation("e", other));
        await first.journal.write(deletion("a"), { author: "cy", reason: "DeleteWasmExtension" });
        const before = keptCommits(first.store);
        const seen = watched(first.store, start);
        expect(seen).toHaveLength(3);
        await first.journal.close();
        await using second = await open(medium);
        expect(keptCommits(second.store)).toEqual(before);
        expect(before.at(-1)?.metadata).toMatchObject({
          author: "cy",
          reason: "DeleteWasmExtension",
          detached: [{ target: target(1), position: 0, attachment: { fqn: ext("a") } }],
        });
        expect(watched(second.store, start)).toEqual(seen);
        expect(watched(second.store, seen[1]?.revision ?? 0n)).toEqual(seen.slice(1));
        // A watch that has seen all goes on with what comes.
        await second.journal.write(creation("b"));
        const next = (seen.at(-1)?.revision ?? 0n) + 1n;
        expect(watched(second.store, next)).toEqual([
          { revision: second.store.state.revision, events: [`put ${ext("b")}`] },
        ]);
      });

      test("is the same catalog, and another medium another one", async () => {
        await using medium = await createMedium();
        await using another = await createMedium();
        if (!medium.lasts) {
          return;
        }
        const first = await open(medium);
        const { incarnation } = first.store;
        await first.journal.close();
        const second = await open(medium);
        expect(second.store.incarnation).toBe(incarnation);
        await second.journal.close();
        await using opened = await open(another);
        expect(opened.store.incarnation).not.toBe(incarnation);
      });

      test("an empty catalog is empty, and has begun", async () => {
        await using medium = await createMedium();
        if (!medium.lasts) {
          return;
        }
        await (await open(medium)).journal.close();
        await using second = await open(medium);
        expect(second.store.state.organizations.size).toBe(0);
        expect(second.store.history.oldest(acme)).toBeLessThanOrEqual(
          second.store.state.revision + 1n,
        );
        await second.journal.write(creation("a"));
      });
    });
  });
}
