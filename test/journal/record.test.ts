import { expect, test } from "vitest";
import type { Commit } from "../../src/catalog/state/commit.ts";
import { createMemoryCatalog } from "../../src/journal/catalog.ts";
import { decodeCommit, encodeCommit, type RecordedCommit } from "../../src/journal/record.ts";
import { emptyState } from "../../src/catalog/state/state.ts";
import { finished } from "../../src/catalog/state/turns.ts";
import { acme, blueSecurity, createAcme, ext, red, redSecurity } from "../support/acme.ts";

const encoded = (recorded: RecordedCommit): Uint8Array => finished(encodeCommit(recorded));

/** A weight is an estimate, which depends on what was weighed before. */
const withoutWeights = (commit: Commit): unknown => ({
  ...commit,
  changes: commit.changes.map((change) => {
    switch (change.kind) {
      case "put-extension":
        return { ...change, extension: { ...change.extension, weight: 0 } };
      case "put-attachments":
        return { ...change, attachmentSet: { ...change.attachmentSet, weight: 0 } };
      default:
        return change;
    }
  }),
});

test("a commit is read as it was encoded, with what it detached and who could use what it replaced", async () => {
  const catalog = createMemoryCatalog();
  const { put, attach, remove, attachments } = createAcme({ catalog });
  await put("a", { config: { deep: [{ n: 1.5, none: null }] }, description: "ü \u{1f600}" });
  await put("b");
  const config = { own: true };
  await attach(redSecurity, [{ fqn: ext("a"), config }, { fqn: ext("b") }, { fqn: ext("a") }]);
  await attach(blueSecurity, [{ fqn: ext("a") }]);
  await put("a", { allowedIn: [red] });
  await remove("a");
  await attachments.deleteAttachments({ fqn: redSecurity });
  const { history, state } = catalog.reader;
  for (let revision = 1n; revision <= state.revision; revision++) {
    const entry = history.first(acme, revision);
    if (entry === undefined) {
      throw new Error(`no commit ${revision}`);
    }
    const { organization, changes, metadata, replaced } = entry;
    const commit = { revision, organization, changes, metadata };
    const read = decodeCommit(encoded({ commit, replaced }), revision, emptyState());
    expect(withoutWeights(read.commit)).toEqual(withoutWeights(commit));
    expect([...read.replaced.values()].map(({ fqn, allowedIn }) => ({ fqn, allowedIn }))).toEqual([
      ...replaced.values(),
    ]);
  }
  const withdrawn = history.first(acme, 5n);
  expect(withdrawn?.metadata.detached).toHaveLength(1);
  expect(withdrawn?.replaced.get(ext("a"))?.allowedIn).toEqual([]);
});

test("a commit with many changes is read as it was encoded, in their order", async () => {
  const catalog = createMemoryCatalog();
  const { put, attach, remove } = createAcme({ catalog });
  await put("a");
  for (let index = 0; index < 600; index++) {
    await attach(`${red}/workspaces/w/securitygroups/s${index}`, [{ fqn: ext("a") }]);
  }
  await remove("a");
  const { history, state } = catalog.reader;
  const entry = history.first(acme, state.revision);
  if (entry === undefined) {
    throw new Error("no commit");
  }
  const { revision, organization, changes, metadata, replaced } = entry;
  const commit = { revision, organization, changes, metadata };
  const read = decodeCommit(encoded({ commit, replaced }), revision, state).commit;
  expect(read.changes).toHaveLength(601);
  expect(read.metadata.detached).toHaveLength(600);
  expect(withoutWeights(read)).toEqual(withoutWeights(commit));
});

test("what is read shares the objects that are still there", async () => {
  const catalog = createMemoryCatalog();
  const { put } = createAcme({ catalog });
  await put("a");
  const { history, state } = catalog.reader;
  const entry = history.first(acme, 1n);
  if (entry === undefined) {
    throw new Error("no commit");
  }
  const bytes = encoded({ commit: entry, replaced: entry.replaced });
  const [change] = decodeCommit(bytes, 1n, state).commit.changes;
  expect(change?.kind === "put-extension" && change.extension).toBe(
    state.organizations.get(acme)?.extensions.get(ext("a")),
  );
});
