import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WasmExtension_PluginPhase as Phase } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { Filter, OnFailure } from "../../src/xds/filter.ts";
import { createPlace } from "../../src/xds/place.ts";
import { createSlot, type Running, type Slot, versionOf } from "../../src/xds/slot.ts";
import type { PluginProblem, WantedLink } from "../../src/xds/wanted-chains.ts";

const encode = () => create(AnySchema);

/** A plugin that a proxy accepts or refuses. */
function plugin(key: string, version: string, size = 0): Filter {
  const module = { digest: `module of ${version}`, size };
  return { key, kind: "plugin", hash: `${key} ${version}`, size: 1, module, encode };
}

function deny(key: string): Filter {
  return { key, kind: "deny", hash: `deny ${key}`, size: 1, module: undefined, encode };
}

function link(
  key: string,
  wanted: Filter | "fetching" | PluginProblem,
  onFailure: OnFailure = "deny",
): WantedLink {
  return { key, fqn: key, position: 0, phase: Phase.AUTHN, match: [], onFailure, plugin: wanted };
}

const missing: PluginProblem = { reason: "NOT_FOUND", message: "it is not there" };
const never = (): boolean => false;
const refusalOf = (key: string): string => `Unable to create Wasm plugin ${key}`;

/** Sends what is next, and lets a proxy answer that refuses the versions named bad. */
function settle(slot: Slot, links: readonly WantedLink[], revision = 1n, says = refusalOf): void {
  for (let round = 0; round < 50; round++) {
    const content = slot.next(links, revision);
    if (content === undefined) {
      return;
    }
    slot.sent(content);
    const bad = content.filters.find(({ hash }) => hash.includes("bad"));
    if (bad === undefined) {
      slot.accept();
    } else {
      slot.refuse(says(bad.key), never);
    }
  }
  throw new Error("the slot never settles");
}

const hashes = (slot: Slot): string[] | undefined => slot.running?.filters?.map(({ hash }) => hash);
const opened = (running?: Running): Slot => createSlot({ running, deny });

describe("a slot", () => {
  test("gets nothing that it has already", () => {
    const slot = opened();
    const links = [link("a", plugin("a", "1"))];
    settle(slot, links);
    expect(slot.next(links, 2n)).toBeUndefined();
    expect(slot.running).toMatchObject({ revision: 2n });
    slot.resend();
    expect(slot.next(links, 2n)).toMatchObject({ version: slot.running?.version });
  });

  test("has one answer under way", () => {
    const slot = opened();
    const content = slot.next([link("a", plugin("a", "1"))], 1n);
    expect(content).toBeDefined();
    slot.sent(content ?? { version: "", revision: 0n, filters: [] });
    expect(slot.next([link("a", plugin("a", "2"))], 2n)).toBeUndefined();
    slot.accept();
    expect(slot.next([link("a", plugin("a", "2"))], 2n)).toBeDefined();
  });

  test("keeps the last good version of a plugin, and takes the changes of its neighbours", () => {
    const slot = opened();
    settle(slot, [link("a", plugin("a", "1")), link("b", plugin("b", "1"))]);
    settle(slot, [link("a", plugin("a", "2")), link("b", plugin("b", "bad"))], 2n);
    expect(hashes(slot)).toEqual(["a 2", "b 1"]);
    expect(slot.refusalOf(plugin("b", "bad"))).toBe(refusalOf("b"));
    expect(slot.lastGood("a")?.since).toBe(2n);
    expect(slot.lastGood("b")?.since).toBe(1n);
    settle(slot, [link("a", plugin("a", "2")), link("b", missing)], 3n);
    expect(hashes(slot)).toEqual(["a 2", "b 1"]);
    settle(slot, [link("a", plugin("a", "2")), link("b", plugin("b", "3"))], 4n);
    expect(hashes(slot)).toEqual(["a 2", "b 3"]);
  });

  test("gets what it runs again after a refusal, so that it is what the proxy got last", () => {
    const slot = opened();
    settle(slot, [link("a", plugin("a", "1"))]);
    const bad = [link("a", plugin("a", "bad"))];
    slot.sent(slot.next(bad, 2n) ?? { version: "", revision: 0n, filters: [] });
    slot.refuse(refusalOf("a"), never);
    const again = slot.next(bad, 2n);
    expect(again?.version).toBe(slot.running?.version);
    slot.sent(again ?? { version: "", revision: 0n, filters: [] });
    slot.accept();
    expect(slot.next(bad, 2n)).toBeUndefined();
  });

  test.each([
    ["refused", plugin("b", "bad")],
    ["without a module", missing],
  ])("denies a plugin that never was good and is %s, or leaves it out", (_, wanted) => {
    const slot = opened();
    settle(slot, [link("a", plugin("a", "1")), link("b", wanted)]);
    expect(hashes(slot)).toEqual(["a 1", "deny b"]);
    const open = opened();
    settle(open, [link("a", plugin("a", "1")), link("b", wanted, "skip")]);
    expect(hashes(open)).toEqual(["a 1"]);
  });

  test("waits with its first answer for modules that are being fetched", () => {
    const slot = opened();
    expect(slot.next([link("a", "fetching"), link("b", plugin("b", "1"))], 1n)).toBeUndefined();
    settle(slot, [link("a", plugin("a", "1")), link("b", plugin("b", "1"))]);
    expect(hashes(slot)).toEqual(["a 1", "b 1"]);
  });

  test("leaves a new plugin out while its module is fetched, and keeps one that is denied denied", () => {
    const slot = opened();
    settle(slot, [link("a", plugin("a", "1"))]);
    settle(slot, [link("a", plugin("a", "2")), link("b", "fetching")], 2n);
    expect(hashes(slot)).toEqual(["a 2"]);
    settle(slot, [link("a", plugin("a", "2")), link("b", missing)], 3n);
    expect(hashes(slot)).toEqual(["a 2", "deny b"]);
    settle(slot, [link("a", plugin("a", "2")), link("b", "fetching")], 4n);
    expect(hashes(slot)).toEqual(["a 2", "deny b"]);
  });

  test("keeps what a change removes until the modules are there that it adds", () => {
    const slot = opened();
    const [a, b, c] = ["a", "b", "c"].map((key) => link(key, plugin(key, "1")));
    settle(
      slot,
      [a, b, c].filter((each) => each !== undefined),
    );
    const fetching = [link("a", plugin("a", "2")), link("new", "fetching")];
    settle(slot, fetching, 2n);
    expect(hashes(slot)).toEqual(["a 2", "b 1", "c 1"]);
    settle(slot, [...fetching, link("c", plugin("c", "2"))], 3n);
    expect(hashes(slot)).toEqual(["a 2", "b 1", "c 2"]);
    settle(slot, fetching, 4n);
    // It is removed later than the other was added.
    expect(hashes(slot)).toEqual(["a 2", "b 1"]);
    settle(slot, [link("a", plugin("a", "2")), link("new", plugin("new", "1"))], 5n);
    expect(hashes(slot)).toEqual(["a 2", "new 1"]);
  });

  test("gives up what a change removes when the module is not to be had that it adds", () => {
    const slot = opened();
    settle(slot, [link("old", plugin("old", "1"))]);
    settle(slot, [link("new", "fetching")], 2n);
    expect(hashes(slot)).toEqual(["old 1"]);
    settle(slot, [link("new", missing)], 3n);
    expect(hashes(slot)).toEqual(["deny new"]);
  });

  test("denies a plugin that ran and is refused now, while its next module is fetched", () => {
    const slot = opened();
    settle(slot, [link("a", plugin("a", "1")), link("b", plugin("b", "1"))]);
    const links = [link("a", plugin("a", "1")), link("b", plugin("b", "2"))];
    slot.sent(slot.next(links, 2n) ?? { version: "", revision: 0n, filters: [] });
    // The proxy has lost its module.
    slot.refuse(refusalOf("a"), never);
    settle(slot, [link("a", "fetching"), link("b", plugin("b", "2"))], 3n);
    expect(hashes(slot)).toEqual(["deny a", "b 2"]);
  });

  test("denies a plugin that ran and is refused now, where its next version is refused, too", () => {
    const slot = opened();
    settle(slot, [link("a", plugin("a", "1")), link("b", plugin("b", "1"))]);
    settle(slot, [link("a", plugin("a", "bad")), link("b", plugin("b", "1"))], 2n);
    expect(hashes(slot)).toEqual(["a 1", "b 1"]);
    const links = [link("a", plugin("a", "bad")), link("b", plugin("b", "2"))];
    for (let round = 0; round < 5; round++) {
      const content = slot.next(links, 3n);
      if (content !== undefined) {
        slot.sent(content);
        if (content.filters.some(({ hash }) => hash === "a 1")) {
          slot.refuse(refusalOf("a"), never);
        } else {
          slot.accept();
        }
      }
    }
    expect(hashes(slot)).toEqual(["deny a", "b 2"]);
  });

  test("stays as it is where the proxy runs what this server has not sent", () => {
    const slot = opened({ version: "earlier", revision: 0n, filters: undefined });
    settle(slot, [link("a", missing)]);
    expect(slot.running?.version).toBe("earlier");
    settle(slot, [link("a", plugin("a", "bad"))]);
    expect(slot.running?.version).toBe("earlier");
    settle(slot, [link("a", plugin("a", "1"))]);
    expect(hashes(slot)).toEqual(["a 1"]);
  });

  test("knows what the proxy runs when it comes back", () => {
    const filters = [plugin("a", "1")];
    const slot = opened({ version: versionOf(filters), revision: 7n, filters });
    expect(slot.next([link("a", plugin("a", "1"))], 8n)).toBeUndefined();
    settle(slot, [link("a", plugin("a", "bad"))], 9n);
    expect(hashes(slot)).toEqual(["a 1"]);
  });

  test("finds the plugin that is refused without being named", () => {
    const slot = opened();
    const silent = (): string => "no such file";
    settle(slot, [link("a", plugin("a", "1"))], 1n, silent);
    const links = ["a", "b", "c", "d"].map((key) =>
      link(key, plugin(key, key === "c" ? "bad" : "2"), "skip"),
    );
    settle(slot, links, 2n, silent);
    expect(hashes(slot)).toEqual(["a 2", "b 2", "d 2"]);
    expect(slot.refusalOf(plugin("c", "bad"))).toBe("no such file");
  });

  test("finds the plugin whose file is refused at once, though others change, too", () => {
    const slot = opened();
    const file = "/etc/bad b.wasm";
    const bad = { ...plugin("b", "bad"), file };
    const links = [link("a", plugin("a", "2")), link("b", bad), link("c", plugin("c", "2"))];
    slot.sent(slot.next(links, 1n) ?? { version: "", revision: 0n, filters: [] });
    slot.refuse(`Invalid path: ${file}`, never);
    expect(slot.next(links, 1n)?.filters.map(({ hash }) => hash)).toEqual(["a 2", "deny b", "c 2"]);
  });

  test("does not repeat what is refused as a whole", () => {
    const slot = opened();
    settle(slot, [link("a", plugin("a", "1")), link("b", plugin("b", "1"))]);
    const turned = [link("b", plugin("b", "1")), link("a", plugin("a", "1"))];
    slot.sent(slot.next(turned, 2n) ?? { version: "", revision: 0n, filters: [] });
    slot.refuse("no memory", never);
    expect(slot.problem).toBe("no memory");
    expect(slot.next(turned, 3n)).toBeUndefined();
    settle(slot, [link("a", plugin("a", "1")), link("b", plugin("b", "2"))], 4n);
    expect(slot.problem).toBeUndefined();
    expect(hashes(slot)).toEqual(["a 1", "b 2"]);
  });
});

describe("an extension that moves from one slot to another", () => {
  const openBoth = () => {
    const place = createPlace();
    const [from, to] = [createSlot({ deny, place }), createSlot({ deny, place })] as const;
    [from, to].forEach((slot) => place.slots.add(slot));
    return { place, from, to };
  };
  const bad = [link("a", plugin("a", "bad"))];

  test.each(["first", "last"])("runs on as it was, where it is refused (%s)", (order) => {
    const { from, to } = openBoth();
    settle(from, [link("a", plugin("a", "1"))]);
    settle(to, []);
    const moves = [
      () => {
        settle(from, [], 2n);
      },
      () => {
        settle(to, bad, 2n);
      },
    ];
    (order === "first" ? moves : moves.toReversed()).forEach((move) => {
      move();
    });
    expect([hashes(from), hashes(to)]).toEqual([[], ["a 1"]]);
    settle(to, [link("a", plugin("a", "2"))], 3n);
    settle(from, bad, 4n);
    settle(to, [], 4n);
    expect([hashes(from), hashes(to)]).toEqual([["a 2"], []]);
  });

  test("stays denied while its module is fetched", () => {
    const { from, to } = openBoth();
    settle(from, [link("a", missing)]);
    settle(to, []);
    settle(from, [], 2n);
    settle(to, [link("a", "fetching")], 2n);
    expect(hashes(to)).toEqual(["deny a"]);
  });

  test("is a new one when it has been detached in between", () => {
    const { place, from, to } = openBoth();
    settle(from, [link("a", plugin("a", "1"))]);
    settle(to, []);
    settle(from, [], 2n);
    place.forgetOthers(() => []);
    settle(to, bad, 3n);
    expect(hashes(to)).toEqual(["deny a"]);
  });
});

describe("a plugin whose module the proxy fetches", () => {
  const wanted = [link("a", plugin("a", "2", 100))];
  const digest = "module of 2";
  const begin = (): Slot => {
    const slot = opened();
    settle(slot, [link("a", plugin("a", "1"))]);
    slot.sent(slot.next(wanted, 2n) ?? { version: "", revision: 0n, filters: [] });
    slot.refuse(refusalOf("a"), () => true);
    expect(slot.isLoading(plugin("a", "2", 100))).toBe(true);
    expect(slot.next(wanted, 2n)).toBeUndefined();
    return slot;
  };

  test("is sent again when it is there", () => {
    const slot = begin();
    slot.loaded(digest);
    settle(slot, wanted, 2n);
    expect(hashes(slot)).toEqual(["a 2"]);
  });

  test("has others that need the module wait, too", () => {
    const slot = begin();
    const both = [...wanted, link("b", plugin("b", "2", 100))];
    expect(slot.next(both, 3n)).toBeUndefined();
    slot.loaded(digest);
    settle(slot, both, 3n);
    expect(hashes(slot)).toEqual(["a 2", "b 2"]);
  });

  test("is refused for good by a second refusal", () => {
    const slot = begin();
    slot.loaded(digest);
    slot.sent(slot.next(wanted, 2n) ?? { version: "", revision: 0n, filters: [] });
    slot.refuse(refusalOf("a"), () => true);
    expect(slot.refusalOf(plugin("a", "2", 100))).toBe(refusalOf("a"));
    expect(hashes(slot)).toEqual(["a 1"]);
  });

  test("is refused when the proxy does not fetch it, until it does", () => {
    const slot = begin();
    slot.notLoaded(digest);
    expect(slot.next(wanted, 2n)).toBeUndefined();
    expect(slot.refusalOf(plugin("a", "2", 100))).toBe(refusalOf("a"));
    slot.loaded(digest);
    settle(slot, wanted, 2n);
    expect(hashes(slot)).toEqual(["a 2"]);
  });
});

/** What an attachment is to run in a step: a version that is good, one that is bad, or no module. */
const anyWanted = fc.constantFrom("1", "2", "3", "bad1", "bad2", "missing", "absent");
const keys = ["a", "b", "c", "d"];
const anyStep = fc.record({
  wanted: fc.tuple(anyWanted, anyWanted, anyWanted, anyWanted),
  order: fc.shuffledSubarray(keys, { minLength: 4 }),
  isNamed: fc.boolean(),
});

test("each attachment runs as it should, or as it was good last, whatever becomes of the others", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 12 }), (steps) => {
      const slot = opened();
      const good = new Map<string, string>();
      for (const [index, { wanted, order, isNamed }] of steps.entries()) {
        const links: WantedLink[] = [];
        const expected: string[] = [];
        for (const key of order) {
          const version = wanted[keys.indexOf(key)] ?? "absent";
          if (version === "absent") {
            good.delete(key);
            continue;
          }
          const onFailure = key < "c" ? "deny" : "skip";
          links.push(link(key, version === "missing" ? missing : plugin(key, version), onFailure));
          if (/^\d$/.test(version)) {
            good.set(key, version);
          }
          const last = good.get(key);
          if (last !== undefined) {
            expected.push(`${key} ${last}`);
          } else if (onFailure === "deny") {
            expected.push(`deny ${key}`);
          }
        }
        settle(slot, links, BigInt(index + 1), isNamed ? refusalOf : () => "something is wrong");
        expect(hashes(slot)).toEqual(expected);
      }
    }),
    { numRuns: 500 },
  );
});
