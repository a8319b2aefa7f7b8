/* A catalog on etcd without a server, with a network of its own between. */
import type { Commit } from "../../../src/catalog/state/commit.ts";
import { createStore } from "../../../src/catalog/store.ts";
import { createInMemory, type InMemory } from "../../support/in-memory.ts";
import { until } from "../../support/stream.ts";
import { createJournalOn } from "./journal.ts";
import { type Link, openLink } from "./link.ts";

/** A catalog, and clients for it. */
export interface JournalCatalog extends InMemory, AsyncDisposable {
  readonly link: Link;
  /** The commits that its store was moved by, in order. */
  readonly commits: readonly Commit[];
  /** How often its store was restored. */
  readonly restores: number;
  /** Resolves when it has reached a revision. */
  reaches(revision: bigint): Promise<void>;
  /** Ends it as a crash does: etcd hears no more of it. */
  crash(): void;
}

/** Opens a catalog on the nodes of a cluster. */
export async function openJournalCatalog(
  urls: readonly string[],
  prefix?: string,
): Promise<JournalCatalog> {
  const link = await openLink(urls);
  const journal = createJournalOn(link.urls, prefix);
  const store = createStore();
  const commits: Commit[] = [];
  let restores = 0;
  await journal.open({
    get state() {
      return store.state;
    },
    turns: store.turns,
    restore: (restored) => {
      restores++;
      store.restore(restored);
    },
    apply: (commit, prepared) => {
      store.apply(commit, prepared);
      commits.push(commit);
    },
  });
  const close = async (): Promise<void> => {
    await journal.close();
    await link[Symbol.asyncDispose]();
  };
  return {
    ...createInMemory({ catalog: { reader: store, journal } }),
    link,
    commits,
    get restores() {
      return restores;
    },
    reaches: (revision) => until(() => store.state.revision >= revision, `revision ${revision}`),
    crash() {
      link.cut();
      void close();
    },
    [Symbol.asyncDispose]: close,
  };
}
