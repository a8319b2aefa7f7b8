/*
 * Writes of several organizations at once, some given up at any step, while watches follow: whatever the
 * turns, the commits are ones that could have been made one after the other.
 */
import { anyone } from "../../src/catalog/access/principal.ts";
import { everything } from "../../src/catalog/access/viewer.ts";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  WasmExtensionSchema,
  type WasmExtension,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  CreateWasmExtensionRequestSchema,
  DeleteWasmExtensionRequestSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import {
  DeleteAttachmentsRequestSchema,
  SetAttachmentsRequestSchema,
} from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { deleteAttachments, setAttachments } from "../../src/catalog/writes/attachment-writes.ts";
import { resolveChain } from "../../src/catalog/reads/chain.ts";
import type { Change, Commit } from "../../src/catalog/state/commit.ts";
import { CatalogError, commitNotStored } from "../../src/catalog/errors.ts";
import {
  createExtension,
  deleteExtension,
  updateExtension,
} from "../../src/catalog/writes/extension-writes.ts";
import type { Plan } from "../../src/catalog/writes/plan.ts";
import {
  apply,
  emptyState,
  findAttachments,
  findExtension,
  type State,
} from "../../src/catalog/state/state.ts";
import { createStore, type Sink, type Store } from "../../src/catalog/store.ts";
import { createTurns } from "../../src/catalog/state/turns.ts";
import { createWatchReader, type WatchReader } from "../../src/catalog/watch/reader.ts";
import { createGroupCommit } from "../../src/journal/group-commit.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { openMemoryJournal } from "../support/journal.ts";
import { belongsTo } from "../support/model.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";
import { createReplica, follow, type Replica } from "../support/watched.ts";

const organizations = ["organizations/acme", "organizations/acme-2"];
const tenants = organizations.flatMap((each) =>
  ["a", "b"].map((name) => `${each}/tenants/${name}`),
);
const scopes = [...organizations, ...tenants];
const targets = tenants.flatMap((tenant) =>
  ["s", "t", "u"].map((name) => `${tenant}/workspaces/w/securitygroups/${name}`),
);
const names = ["x", "y"];

interface Write {
  readonly kind: "create" | "update" | "delete" | "attach" | "detach";
  readonly organization: string;
  readonly name: string;
  readonly allowedIn: readonly string[];
  readonly target: string;
  /** After how many turns it begins, and after how many more it is given up. */
  readonly after: number;
  readonly patience: number;
  /** Whether the etag is the one that is there when it begins. */
  readonly isFresh: boolean;
}

const anyWrite: fc.Arbitrary<Write> = fc.record({
  kind: fc.constantFrom("create", "update", "update", "delete", "attach", "attach", "detach"),
  organization: fc.constantFrom(...organizations),
  name: fc.constantFrom(...names),
  allowedIn: fc.oneof(fc.constant([]), fc.subarray(tenants)),
  target: fc.constantFrom(...targets),
  after: fc.nat(12),
  patience: fc.oneof(fc.constant(Infinity), fc.nat(6)),
  isFresh: fc.boolean(),
});

const url = "oci://x";

function planOf(write: Write, state: State): Plan<unknown> {
  const { kind, organization, name, target } = write;
  const fqn = `${organization}/extensions/${name}`;
  const allowedIn = [...write.allowedIn];
  const stale = '"AAAAAAAAAAA="';
  switch (kind) {
    case "create": {
      const wasmExtension = { url, allowedIn };
      return createExtension(
        create(CreateWasmExtensionRequestSchema, { parent: organization, name, wasmExtension }),
      );
    }
    case "update": {
      const etag = findExtension(state, fqn)?.etag ?? stale;
      return updateExtension(
        create(WasmExtensionSchema, { fqn, url, allowedIn, etag, priority: write.after }),
      );
    }
    case "delete":
      return deleteExtension(create(DeleteWasmExtensionRequestSchema, { fqn }));
    case "attach": {
      const own = target.split("/tenants/")[0] ?? "";
      const etag = write.isFresh ? (findAttachments(state, target)?.etag ?? "") : "";
      const extension = names
        .filter((each) => each === name || write.isFresh)
        .map((each) => ({ fqn: `${own}/extensions/${each}` }));
      return setAttachments(
        create(SetAttachmentsRequestSchema, { attachmentSet: { fqn: target, extension, etag } }),
        anyone,
      );
    }
    case "detach":
      return deleteAttachments(create(DeleteAttachmentsRequestSchema, { fqn: target }));
  }
}

/** What a state holds, and what its lists and indices say, made anew from its objects alone. */
function expectSound(state: State): void {
  for (const [organization, held] of state.organizations.entries()) {
    const changes: Change[] = [
      ...[...held.extensions.entries()].map(([fqn, extension]) => ({
        kind: "put-extension" as const,
        fqn,
        extension,
      })),
      ...[...held.attachmentSets.entries()].map(([fqn, attachmentSet]) => ({
        kind: "put-attachments" as const,
        fqn,
        attachmentSet,
      })),
    ];
    const anew = apply(emptyState(), { revision: 1n, organization, changes });
    const rebuilt = anew.organizations.get(organization);
    expect(rebuilt?.ordered.toArray()).toEqual(held.ordered.toArray());
    expect(rebuilt?.usable.toArray()).toEqual(held.usable.toArray());
    expect(rebuilt?.targets.toArray()).toEqual(held.targets.toArray());
    for (const { message } of held.attachmentSets.values()) {
      const tenant = message.fqn.split("/workspaces/")[0] ?? "";
      for (const { fqn } of message.extension) {
        const extension = findExtension(state, fqn)?.message;
        expect(extension && modelBelongs(tenant, extension)).toBe(true);
      }
      resolveChain(state, message.fqn, { mode: 0, port: 0 });
    }
  }
}

function modelBelongs(scope: string, { fqn, allowedIn }: WasmExtension): boolean {
  const organization = fqn.split("/extensions/")[0] ?? "";
  return belongsTo(scope, { organization, name: "", phase: 0, priority: 0, allowedIn });
}

interface Follower {
  readonly scope: string;
  readonly replica: Replica;
  reader: WatchReader;
  last: bigint;
}

/** Reads some of what there is, or all of it. */
function catchUp(follower: Follower, most = Infinity): void {
  for (let count = 0; count < most; count++) {
    const read = follower.reader.read(() => false);
    if (typeof read === "string") {
      return;
    }
    expect(read.revision).toBeGreaterThanOrEqual(follower.last);
    follower.last = read.revision;
    follow(follower.replica, read.response);
  }
}

function expectReplica({ scope, replica }: Follower, store: Store): void {
  const extensions = [...storedExtensions(store)].filter(([, each]) => modelBelongs(scope, each));
  expect([...replica.extensions].sort()).toEqual(extensions.sort());
  const sets = [...storedSets(store)].filter(([fqn]) => fqn.startsWith(`${scope}/`));
  expect([...replica.attachmentSets].sort()).toEqual(sets.sort());
}

/** Turns that are over at once, so that every step of every write is followed by others'. */
function shortestTurns() {
  let time = 0;
  return createTurns(() => (time += 100));
}

/** Opens a journal that decides as several journals do, on a disk that takes rounds, and at times fails. */
function openGroupCommit(sink: Sink, choices: readonly number[]): Pick<Journal, "write"> {
  let batches = 0;
  return createGroupCommit({
    sink,
    now: Date.now,
    async persist() {
      const choice = choices[batches++ % choices.length] ?? 0;
      for (let round = 0; round < choice % 4; round++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      // What the first batches hold, the writes are about.
      if (batches > 4 && choice % 3 === 0) {
        throw commitNotStored("the disk is full");
      }
    },
  });
}

test.each([
  ["in memory", openMemoryJournal],
  ["in batches, some of which fail", openGroupCommit],
] as const)(
  "writes at once %s, some given up, make commits that follow one another",
  async (...[, openJournal]) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyWrite, { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat(scopes.length * 2), { minLength: 40, maxLength: 40 }),
        async (writes, choices) => {
          const store = createStore();
          const commits: Commit[] = [];
          const states = [store.state];
          const turns = shortestTurns();
          const sink: Sink = {
            get state() {
              return store.state;
            },
            turns,
            restore: () => undefined,
            apply(commit, prepared) {
              store.apply(commit, prepared);
              commits.push(commit);
              states.push(store.state);
            },
          };
          const journal = openJournal(sink, choices);
          // Something to go with what is deleted and narrowed.
          for (const organization of organizations) {
            for (const name of names) {
              const request = { parent: organization, name, wasmExtension: { url } };
              await journal.write(
                createExtension(create(CreateWasmExtensionRequestSchema, request)),
              );
            }
          }
          const followers: Follower[] = [...scopes, ...scopes].map((scope, index) => ({
            scope,
            replica: createReplica(),
            reader: createWatchReader(
              store,
              {
                parent: scope,
                startRevision: index < scopes.length ? 0n : 1n,
                incarnation: "",
              },
              everything,
            ),
            last: 0n,
          }));
          const rounds = async (count: number) => {
            for (let round = 0; round < count; round++) {
              await new Promise((resolve) => setImmediate(resolve));
            }
          };
          const outcomes = await Promise.all(
            writes.map(async (write) => {
              await rounds(write.after);
              const seen = store.state;
              const controller = new AbortController();
              const given = new Error("given up");
              if (write.patience !== Infinity) {
                void rounds(write.patience).then(() => {
                  controller.abort(given);
                });
              }
              const reason = JSON.stringify(writes.indexOf(write));
              try {
                const plan = planOf(write, seen);
                const answer = await journal.write(plan, { signal: controller.signal, reason });
                return { reason, write, answer, error: undefined, seen };
              } catch (error) {
                expect(error === given || error instanceof CatalogError).toBe(true);
                return { reason, write, answer: undefined, error, seen };
              } finally {
                const follower = followers[choices[writes.indexOf(write)] ?? 0];
                if (follower !== undefined) {
                  catchUp(follower, 3);
                }
              }
            }),
          );

          // Each commit has the next revision, its organization, and what it decided on is what was there.
          for (const [index, commit] of commits.entries()) {
            const before = states[index] ?? emptyState();
            const after = states[index + 1] ?? emptyState();
            expect(commit.revision).toBe(before.revision + 1n);
            expectSound(after);
            for (const [organization, held] of before.organizations.entries()) {
              if (organization !== commit.organization) {
                expect(after.organizations.get(organization)).toBe(held);
              }
            }
            const write = writes[Number(commit.metadata.reason || -1)];
            if (write === undefined) {
              continue;
            }
            const { kind, organization, name, target } = write;
            const fqn = `${organization}/extensions/${name}`;
            const seen = outcomes.find(({ reason }) => reason === commit.metadata.reason)?.seen;
            if (kind === "update") {
              const held = findExtension(before, fqn);
              expect(held).toBe(findExtension(seen ?? emptyState(), fqn));
            }
            if (kind === "attach" && seen !== undefined) {
              expect(findAttachments(before, target)?.etag ?? "").toBe(
                write.isFresh ? (findAttachments(seen, target)?.etag ?? "") : "",
              );
            }
            // What went with it is what the sets have lost, and nothing else in them has changed.
            const lost = commit.changes.flatMap((change) => {
              if (change.kind !== "put-attachments" || kind === "attach") {
                return [];
              }
              const had = findAttachments(before, change.fqn)?.message.extension ?? [];
              const has = change.attachmentSet.message.extension;
              expect(has).toEqual(had.filter((each) => each.fqn !== fqn));
              return had.flatMap((attachment, position) =>
                attachment.fqn === fqn ? [{ target: change.fqn, position, attachment }] : [],
              );
            });
            expect(commit.metadata.detached).toEqual(lost);
          }
          // A write that was answered has one commit at most; one that was not has none.
          for (const { reason, error } of outcomes) {
            const own = commits.filter(({ metadata }) => metadata.reason === reason);
            expect(own.length).toBeLessThanOrEqual(error === undefined ? 1 : 0);
          }
          for (const follower of followers) {
            catchUp(follower);
            expectReplica(follower, store);
          }
          // What was kept of the past is as it was.
          states.forEach(expectSound);
        },
      ),
      { numRuns: 60 },
    );
  },
);
