/* What every journal promises; see src/journal/journal.ts. */
import { anyone } from "../../src/catalog/access/principal.ts";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  CreateWasmExtensionRequestSchema,
  DeleteWasmExtensionRequestSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { SetAttachmentsRequestSchema } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { setAttachments } from "../../src/catalog/writes/attachment-writes.ts";
import type { Commit } from "../../src/catalog/state/commit.ts";
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
}

interface Opened extends AsyncDisposable {
  readonly store: Store;
  readonly journal: Journal;
  /** The commits that the store was moved by, in order. */
  readonly commits: readonly Commit[];
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

    test("holds after a restart what was answered before, if it lasts", async () => {
      await using medium = await createMedium();
      if (!medium.lasts) {
        return;
      }
      const first = await open(medium);
      await first.journal.write(creation("a"));
      await first.journal.write(attaching(1, "a"));
      const { revision } = first.store.state;
      await first.journal.close();
      await using second = await open(medium);
      expect(storedExtensions(second.store)).toEqual(storedExtensions(first.store));
      expect(storedSets(second.store)).toEqual(storedSets(first.store));
      expect(second.store.incarnation).toBe(first.store.incarnation);
      await second.journal.write(creation("b"));
      expect(second.store.state.revision).toBeGreaterThan(revision);
    });
  });
}
