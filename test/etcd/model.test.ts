/*
 * Random writes on two catalogs of one etcd, with restarts, compactions, and crashes in the middle of large
 * commits; both, and a third one that starts at the end, are compared with a plain model.
 */
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeleteWasmExtensionRequestSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { SetAttachmentsRequestSchema } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { anyone } from "../../src/catalog/access/principal.ts";
import type { Commit } from "../../src/catalog/state/commit.ts";
import { setAttachments } from "../../src/catalog/writes/attachment-writes.ts";
import { composed, type Plan } from "../../src/catalog/writes/plan.ts";
import { deleteExtension, updateExtension } from "../../src/catalog/writes/extension-writes.ts";
import {
  anyAttachment,
  detach,
  matchOf,
  mayAttach,
  type ModelAttachment,
  type ModelCatalog,
  organizationOf,
  targets,
} from "../support/attachment-model.ts";
import { refused } from "../support/errors.ts";
import { anyExtension, fqnOf, type ModelExtension } from "../support/model.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";
import { type Etcd, startEtcd } from "./support/etcd.ts";
import { type JournalCatalog, openJournalCatalog } from "./support/journal-catalog.ts";

const tenant = "organizations/acme/tenants/a";
/** More than one transaction of etcd can put. */
const everywhere = Array.from(
  { length: 150 },
  (_, index) => `${tenant}/workspaces/w/securitygroups/e${index}`,
);

type Place = 0 | 1;
type Step =
  | { readonly kind: "put" | "delete"; readonly place: Place; readonly extension: ModelExtension }
  | {
      readonly kind: "attach";
      readonly place: Place;
      readonly target: string;
      readonly attachments: readonly (Omit<ModelAttachment, "fqn"> & { name: string })[];
    }
  | { readonly kind: "detach"; readonly place: Place; readonly target: string }
  | { readonly kind: "restart"; readonly place: Place }
  | { readonly kind: "compact" }
  | {
      /** A large commit, in the middle of which the server may be lost. */
      readonly kind: "attach-everywhere" | "delete-everywhere" | "withdraw";
      readonly place: Place;
      readonly name: string;
      readonly crash: { readonly request: number; readonly reaches: boolean } | undefined;
    };

const place = fc.constantFrom<Place>(0, 1);
/** A large commit takes fewer requests, from its first piece until it has been carried out. */
const maxRequest = 6;

const anyCrash = fc.option(
  fc.record({ request: fc.integer({ min: 1, max: maxRequest }), reaches: fc.boolean() }),
  { nil: undefined, freq: 2 },
);
/** Names that are used often, so that many are attached everywhere when they are deleted. */
const anyName = fc.constantFrom("a", "a-1", "b");
const oneOf = <Kind extends string>(...kinds: readonly Kind[]) => fc.constantFrom(...kinds);

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: oneOf("put"), place, extension: anyExtension }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: oneOf("delete"), place, extension: anyExtension }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: oneOf("attach"),
      place,
      target: fc.constantFrom(...targets),
      attachments: fc.array(anyAttachment, { maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: oneOf("detach"), place, target: fc.constantFrom(...targets) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: oneOf("restart"), place }) },
  { weight: 1, arbitrary: fc.record({ kind: oneOf("compact") }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: oneOf("attach-everywhere", "delete-everywhere", "withdraw"),
      place,
      name: anyName,
      crash: anyCrash,
    }),
  },
);

interface World {
  readonly prefix: string;
  readonly model: ModelCatalog;
  /** What the clients know, whichever server has told them. */
  readonly etags: Map<string, string>;
  readonly catalogs: [JournalCatalog, JournalCatalog];
}

/** What has happened, of what has to happen often enough for the property to say something. */
const happened = { commits: 0, large: 0, crashes: 0, madeByCrashed: 0 };

/** Set WASMEXT_MODEL_RUNS for more. */
const numRuns = Number(process.env["WASMEXT_MODEL_RUNS"] ?? 20);

/** An extension for everybody. */
const openToAll: ModelExtension = {
  organization: "organizations/acme",
  name: "",
  phase: 0,
  priority: 0,
  allowedIn: [],
};

let etcd: Etcd;
let worlds = 0;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd[Symbol.asyncDispose]());

const bodyOf = ({ phase, priority, allowedIn }: ModelExtension) => ({
  url: "oci://example/x:1",
  phase,
  priority,
  allowedIn: [...allowedIn],
});

async function take(world: World, step: Step): Promise<void> {
  const { model, etags, catalogs } = world;
  switch (step.kind) {
    case "put": {
      const { extensions } = catalogs[step.place];
      const { organization: parent, name } = step.extension;
      const fqn = fqnOf(step.extension);
      const etag = etags.get(fqn);
      const body = bodyOf(step.extension);
      const answer = await (etag === undefined
        ? extensions.createWasmExtension({ parent, name, wasmExtension: body })
        : extensions.updateWasmExtension({ ...body, fqn, etag }));
      model.extensions.set(fqn, step.extension);
      etags.set(fqn, answer.etag);
      detach(model);
      return;
    }
    case "delete": {
      const { extensions } = catalogs[step.place];
      const fqn = fqnOf(step.extension);
      const deletion = extensions.deleteWasmExtension({ fqn });
      if (model.extensions.delete(fqn)) {
        await deletion;
        etags.delete(fqn);
        detach(model);
      } else {
        expect((await refused(deletion)).code).toBe(Code.NotFound);
      }
      return;
    }
    case "attach": {
      const { target } = step;
      const { attachments } = catalogs[step.place];
      const set = step.attachments.map(({ name, config, ports }) => ({
        fqn: `${organizationOf(target)}/extensions/${name}`,
        config,
        ports,
      }));
      const extension = set.map((attachment) => ({
        fqn: attachment.fqn,
        match: matchOf(attachment),
        ...(attachment.config && { config: attachment.config }),
      }));
      // A cascade changes the etag of a set without a word to those who wrote it.
      const etag = await currentEtag(world, step.place, target);
      const call = attachments.setAttachments({ attachmentSet: { fqn: target, extension, etag } });
      if (mayAttach(model, target, set)) {
        await call;
        model.sets.set(target, set);
      } else {
        expect((await refused(call)).code).toBe(Code.FailedPrecondition);
      }
      return;
    }
    case "detach": {
      const deletion = catalogs[step.place].attachments.deleteAttachments({ fqn: step.target });
      if (model.sets.delete(step.target)) {
        await deletion;
      } else {
        expect((await refused(deletion)).code).toBe(Code.NotFound);
      }
      return;
    }
    case "restart":
      await catalogs[step.place][Symbol.asyncDispose]();
      catalogs[step.place] = await openJournalCatalog(etcd.urls, world.prefix);
      return;
    case "compact":
      await etcd.admin.compact();
      return;
    default:
      await writeLarge(world, step);
  }
}

async function currentEtag({ catalogs }: World, at: Place, target: string): Promise<string> {
  await settle(catalogs);
  return storedSets(catalogs[at].reader).get(target)?.etag ?? "";
}

/** Resolves when each catalog has what any has. */
async function settle(catalogs: readonly JournalCatalog[]): Promise<void> {
  const revisions = catalogs.map(({ reader }) => reader.state.revision);
  const latest = revisions.reduce((a, b) => (a > b ? a : b));
  await Promise.all(catalogs.map((catalog) => catalog.reaches(latest)));
}

/** Makes a large commit, or loses the server in the middle; then it is there as a whole, or not at all. */
async function writeLarge(
  world: World,
  { kind, name, place: at, crash }: Extract<Step, { readonly name: string }>,
): Promise<void> {
  const { catalogs, prefix, etags } = world;
  const fqn = `organizations/acme/extensions/${name}`;
  const before = world.model.extensions.get(fqn);
  if (before === undefined || (kind === "attach-everywhere" && !mayUse(world.model, fqn))) {
    return;
  }
  await settle(catalogs);
  const catalog = catalogs[at];
  const after = copyOf(world.model);
  let plan: Plan<unknown>;
  switch (kind) {
    case "attach-everywhere": {
      const sets = storedSets(catalog.reader);
      plan = composed(
        everywhere.map((target) => attaching(target, fqn, sets.get(target)?.etag ?? "")),
      );
      for (const target of everywhere) {
        after.sets.set(target, [{ fqn, config: undefined, ports: [] }]);
      }
      break;
    }
    case "delete-everywhere":
      plan = deleteExtension(create(DeleteWasmExtensionRequestSchema, { fqn }));
      after.extensions.delete(fqn);
      detach(after);
      break;
    case "withdraw": {
      const current = storedExtensions(catalog.reader).get(fqn);
      const allowedIn = ["organizations/acme/tenants/c"];
      if (current === undefined) {
        throw new Error(`${fqn} is not there`);
      }
      plan = updateExtension({ ...current, allowedIn });
      after.extensions.set(fqn, { ...before, allowedIn });
      detach(after);
    }
  }
  const hasCrashed = crash && catalog.link.cutAt(crash.request, crash.reaches);
  const writing = catalog.journal.write(plan).then(
    () => true,
    () => false,
  );
  const isMade = await (hasCrashed === undefined ? writing : orCrash(writing, hasCrashed));
  if (hasCrashed !== undefined) {
    catalog.crash();
    catalogs[at] = await openJournalCatalog(etcd.urls, prefix);
  } else {
    expect(isMade).toBe(true);
  }
  const { reader } = catalogs[at];
  const isThere = isMade || isSame(reader, after);
  if (isThere) {
    replaceBy(world.model, after);
  }
  happened.large++;
  happened.crashes += hasCrashed === undefined ? 0 : 1;
  happened.madeByCrashed += hasCrashed !== undefined && !isMade && isThere ? 1 : 0;
  const now = storedExtensions(reader).get(fqn)?.etag;
  if (now === undefined) {
    etags.delete(fqn);
  } else {
    etags.set(fqn, now);
  }
  expectModel(catalogs[at], world.model);
}

/** Whether the write was answered before the crash; it is lost with the server otherwise. */
async function orCrash(writing: Promise<boolean>, hasCrashed: () => boolean): Promise<boolean> {
  const answer: { isMade?: boolean } = {};
  void writing.then((isMade) => (answer.isMade = isMade));
  const isOver = () => answer.isMade !== undefined || hasCrashed();
  await expect.poll(isOver, { interval: 2, timeout: 10_000 }).toBe(true);
  // The last request gets as far as it gets.
  await new Promise((resolve) => setTimeout(resolve, 200));
  return answer.isMade ?? false;
}

const attaching = (target: string, fqn: string, etag: string): Plan<unknown> =>
  setAttachments(
    create(SetAttachmentsRequestSchema, {
      attachmentSet: { fqn: target, extension: [{ fqn }], etag },
    }),
    anyone,
  );

const mayUse = (model: ModelCatalog, fqn: string): boolean =>
  mayAttach(model, everywhere[0] ?? "", [{ fqn, config: undefined, ports: [] }]);

function copyOf({ extensions, sets }: ModelCatalog): ModelCatalog {
  return { extensions: new Map(extensions), sets: new Map(sets) };
}

function replaceBy(model: ModelCatalog, { extensions, sets }: ModelCatalog): void {
  model.extensions.clear();
  model.sets.clear();
  extensions.forEach((extension, fqn) => model.extensions.set(fqn, extension));
  sets.forEach((set, fqn) => model.sets.set(fqn, set));
}

type Read = JournalCatalog["reader"];

/** What a catalog holds, as the model writes it. */
function heldBy(reader: Read) {
  const extensions = [...storedExtensions(reader)].map(
    ([fqn, { phase, priority, allowedIn }]) => `${fqn} ${phase} ${priority} ${allowedIn.join()}`,
  );
  const sets = [...storedSets(reader)].map(([target, { extension }]) => {
    const attachments = extension.map(
      ({ fqn, config, match }) =>
        `${fqn} ${JSON.stringify(config)} ${match.flatMap(({ ports }) => ports.map(({ number }) => number)).join()}`,
    );
    return `${target}: ${attachments.join("; ")}`;
  });
  return { extensions: extensions.sort(), sets: sets.sort() };
}

function modelled({ extensions, sets }: ModelCatalog) {
  return {
    extensions: [...extensions]
      .map(
        ([fqn, { phase, priority, allowedIn }]) =>
          `${fqn} ${phase} ${priority} ${allowedIn.join()}`,
      )
      .sort(),
    sets: [...sets]
      .map(([target, attachments]) => {
        const all = attachments.map(
          ({ fqn, config, ports }) => `${fqn} ${JSON.stringify(config)} ${ports.join()}`,
        );
        return `${target}: ${all.join("; ")}`;
      })
      .sort(),
  };
}

const isSame = (reader: Read, model: ModelCatalog): boolean =>
  JSON.stringify(heldBy(reader)) === JSON.stringify(modelled(model));

function expectModel({ reader }: JournalCatalog, model: ModelCatalog): void {
  expect(heldBy(reader)).toEqual(modelled(model));
}

/** Expects all commits that two catalogs have both followed to be the same. */
function expectSameCommits(one: JournalCatalog, other: JournalCatalog): void {
  const others = new Map(other.commits.map((commit) => [commit.revision, commit]));
  for (const commit of one.commits) {
    const same = others.get(commit.revision);
    if (same !== undefined) {
      expect(contentOf(same)).toEqual(contentOf(commit));
    }
  }
}

/** A commit, with the bytes of its objects as text. */
function contentOf({ organization, metadata, changes }: Commit) {
  const texts = changes.map((change) => {
    const object =
      change.kind === "put-extension"
        ? change.extension
        : change.kind === "put-attachments"
          ? change.attachmentSet
          : undefined;
    const bytes = Buffer.from(object?.bytes ?? []).toString("base64");
    return `${change.kind} ${change.fqn} ${bytes}`;
  });
  return { organization, metadata, texts };
}

/** Two empty catalogs of one etcd. */
async function createWorld(): Promise<World> {
  const prefix = `world-${worlds++}/`;
  return {
    prefix,
    model: { extensions: new Map(), sets: new Map() },
    etags: new Map(),
    catalogs: [
      await openJournalCatalog(etcd.urls, prefix),
      await openJournalCatalog(etcd.urls, prefix),
    ],
  };
}

/** Expects both catalogs, and a third one that starts now, to be what the model says. */
async function expectAllEqual({ prefix, catalogs, model }: World): Promise<void> {
  await using third = await openJournalCatalog(etcd.urls, prefix);
  const all = [...catalogs, third];
  await settle(all);
  for (const catalog of all) {
    expectModel(catalog, model);
    expect(catalog.reader.state.revision).toBe(third.reader.state.revision);
    expect(catalog.reader.incarnation).toBe(third.reader.incarnation);
    expect(storedExtensions(catalog.reader)).toEqual(storedExtensions(third.reader));
    expect(storedSets(catalog.reader)).toEqual(storedSets(third.reader));
  }
  expectSameCommits(...catalogs);
}

test("a server that is lost at any request of a large commit leaves all of it, or nothing", async () => {
  const world = await createWorld();
  const extension = { ...openToAll, name: "a" };
  const large = { place: 0 as const, name: "a", crash: undefined };
  let made = 0;
  for (let index = 0; index < maxRequest * 2; index++) {
    const crash = { request: Math.floor(index / 2) + 1, reaches: index % 2 === 0 };
    await take(world, { kind: "put", place: 1, extension });
    await take(world, { ...large, kind: "attach-everywhere" });
    await take(world, { ...large, kind: "delete-everywhere", crash });
    made += world.model.extensions.size === 0 ? 1 : 0;
    await expectAllEqual(world);
  }
  expect(happened.madeByCrashed).toBeGreaterThan(0);
  expect(made).toBeLessThan(maxRequest * 2);
  await Promise.all(world.catalogs.map((catalog) => catalog[Symbol.asyncDispose]()));
});

test("two catalogs of one etcd are what the model says, after any writes, crashes and compactions", async () => {
  const property = fc.asyncProperty(
    fc.array(anyStep, { maxLength: 40, size: "max" }),
    async (steps) => {
      const world = await createWorld();
      try {
        for (const name of ["a", "a-1", "b"]) {
          const extension = { ...openToAll, name };
          await take(world, { kind: "put", place: 0, extension });
        }
        for (const step of steps) {
          await take(world, step);
        }
        await expectAllEqual(world);
        happened.commits += world.catalogs[0].commits.length;
      } finally {
        await Promise.all(world.catalogs.map((catalog) => catalog[Symbol.asyncDispose]()));
      }
    },
  );
  await fc.assert(property, { numRuns });
  if (numRuns > 20) {
    process.stderr.write(`${JSON.stringify(happened)}\n`);
  }
}, 600_000);
