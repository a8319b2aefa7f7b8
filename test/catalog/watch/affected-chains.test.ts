import { expect, test } from "vitest";
import { createNotifier } from "../../../src/catalog/state/notifier.ts";
import { affectedChains } from "../../../src/catalog/watch/affected-chains.ts";
import { acme, createAcme, ext, red, redSecurity } from "../../support/acme.ts";

const target = (index: number): string => `${red}/workspaces/w/securitygroups/s${index}`;

/** The watched targets that a commit affects. */
function affected(store: ReturnType<typeof createAcme>["reader"], watched: readonly string[]) {
  const notifier = createNotifier();
  watched.forEach((key) => notifier.subscribe(key, () => undefined));
  const entry = store.history.first(acme, store.state.revision);
  return [...affectedChains(store.state, entry?.changes ?? [], notifier)].toSorted();
}

test("an extension affects the watched targets that attach it, be they few or most of the watched", async () => {
  const { reader: store, put, attach } = createAcme();
  await put("a");
  await put("b");
  for (let index = 0; index < 6; index++) {
    await attach(target(index), [{ fqn: ext(index === 5 ? "b" : "a") }]);
  }
  await put("a", { priority: 1 });
  const all = Array.from({ length: 50 }, (_, index) => target(index));
  const attaching = all.slice(0, 5);
  for (const watched of [
    [target(0)],
    [target(5)],
    [target(4), target(5), redSecurity],
    attaching,
    all,
    [],
  ]) {
    expect(affected(store, watched)).toEqual(watched.filter((each) => attaching.includes(each)));
  }
});

test("a set affects its own target, and a deleted extension those it was attached to", async () => {
  const { reader: store, put, attach, remove } = createAcme();
  await put("a");
  await attach(target(1), [{ fqn: ext("a") }]);
  expect(affected(store, [target(1), target(2)])).toEqual([target(1)]);
  await attach(target(2), [{ fqn: ext("a") }]);
  expect(affected(store, [target(1), target(2)])).toEqual([target(2)]);
  await remove("a");
  expect(affected(store, [target(1), target(2), target(3)])).toEqual([target(1), target(2)]);
  expect(affected(store, [target(2)])).toEqual([target(2)]);
});
