/* Random writes of every kind; every list, chain and watch is compared with a plain model. */
import { equals } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Chain, ChainSchema } from "../../gen/wasmext/v1/chain_pb.ts";
import type { WatchResponse } from "../../gen/wasmext/v1/watch_service_pb.ts";
import {
  anyAttachment,
  chainOf,
  detach,
  matchOf,
  mayAttach,
  type ModelAttachment,
  type ModelCatalog,
  organizationOf,
  targets,
  tenantOf,
} from "../support/attachment-model.ts";
import { refused } from "../support/errors.ts";
import { createInMemory, type InMemory } from "../support/in-memory.ts";
import {
  anyExtension,
  belongsTo,
  fqnOf,
  inOrder,
  type ModelExtension,
  organizations,
  tenants,
} from "../support/model.ts";
import { read, type Reader } from "../support/stream.ts";
import { createReplica, follow, type Replica } from "../support/watched.ts";
import { storedExtensions, storedSets } from "../support/stored.ts";

type Step =
  | { readonly kind: "put" | "delete"; readonly extension: ModelExtension }
  | {
      readonly kind: "attach";
      readonly target: string;
      readonly attachments: readonly (Omit<ModelAttachment, "fqn"> & { name: string })[];
    }
  | { readonly kind: "detach"; readonly target: string }
  | { readonly kind: "restart-watch"; readonly watch: number };

const anyTarget = fc.constantFrom(...targets);
const scopes = [...organizations, ...tenants];

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("put" as const), extension: anyExtension }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("delete" as const), extension: anyExtension }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("attach" as const),
      target: anyTarget,
      attachments: fc.array(anyAttachment, { maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("detach" as const), target: anyTarget }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("restart-watch" as const),
      watch: fc.nat(scopes.length * 2 - 1),
    }),
  },
);

/** A watch of a scope, and the copy of the catalog that it feeds. */
interface Watch {
  readonly scope: string;
  readonly replica: Replica;
  reader: Reader<WatchResponse>;
  /** Up to where the replica has everything. */
  revision: bigint;
}

function open({ watches }: InMemory, parent: string, startRevision: bigint): Reader<WatchResponse> {
  return read((options) => watches.watch({ parent, startRevision }, options));
}

/** Reads all there is: with an interval of 0, a bookmark comes when everything has been sent. */
async function catchUp(watch: Watch, { reader }: InMemory): Promise<void> {
  while (watch.revision < reader.state.revision) {
    const response = await watch.reader.next();
    expect(response.revision).toBeGreaterThanOrEqual(watch.revision);
    if (response.bookmark) {
      watch.revision = response.revision;
      continue;
    }
    expect(response.revision).toBeGreaterThan(watch.revision);
    watch.revision = response.revision;
    follow(watch.replica, response);
  }
}

async function take(catalog: InMemory, model: ModelCatalog, step: Step): Promise<void> {
  const { extensions, attachments, reader } = catalog;
  switch (step.kind) {
    case "put": {
      const { organization: parent, name, phase, priority, allowedIn } = step.extension;
      const fqn = fqnOf(step.extension);
      const etag = storedExtensions(reader).get(fqn)?.etag;
      const body = {
        url: "oci://example/x:1",
        phase,
        priority,
        allowedIn: [...allowedIn],
        config: { from: "extension" },
      };
      await (etag === undefined
        ? extensions.createWasmExtension({ parent, name, wasmExtension: body })
        : extensions.updateWasmExtension({ ...body, fqn, etag }));
      model.extensions.set(fqn, step.extension);
      detach(model);
      return;
    }
    case "delete": {
      const fqn = fqnOf(step.extension);
      if (model.extensions.delete(fqn)) {
        await extensions.deleteWasmExtension({ fqn });
        detach(model);
      }
      return;
    }
    case "attach": {
      const { target } = step;
      const set = step.attachments.map(({ name, config, ports }) => ({
        fqn: `${organizationOf(target)}/extensions/${name}`,
        config,
        ports,
      }));
      const etag = storedSets(reader).get(target)?.etag ?? "";
      const extension = set.map((attachment) => ({
        fqn: attachment.fqn,
        match: matchOf(attachment),
        ...(attachment.config && { config: attachment.config }),
      }));
      const call = attachments.setAttachments({ attachmentSet: { fqn: target, extension, etag } });
      if (mayAttach(model, target, set)) {
        await call;
        model.sets.set(target, set);
      } else {
        expect((await refused(call)).code).toBe(Code.FailedPrecondition);
      }
      return;
    }
    case "detach":
      if (model.sets.delete(step.target)) {
        await attachments.deleteAttachments({ fqn: step.target });
      }
      return;
    case "restart-watch":
  }
}

async function compareReads(
  { extensions, tenants: ofTenants, attachments, chains }: InMemory,
  model: ModelCatalog,
) {
  for (const scope of scopes) {
    const expected = inOrder(
      [...model.extensions.values()].filter((each) => belongsTo(scope, each)),
    );
    const list = scope.includes("/tenants/")
      ? await ofTenants.listWasmExtensions({ parent: scope })
      : await extensions.listWasmExtension({ parent: scope });
    expect(list.extensions.map(({ fqn }) => fqn)).toEqual(expected);
    const sets = await attachments.listAttachments({ parent: scope });
    expect(sets.attachmentSets.map(({ fqn }) => fqn)).toEqual(
      [...model.sets.keys()].filter((fqn) => fqn.startsWith(`${scope}/`)).sort(),
    );
  }
  for (const target of targets) {
    const asked: Chain[] = [];
    for (const port of [0, 80, 8080]) {
      const { chain } = await chains.resolveChain({ target, port });
      asked.push(...(chain === undefined ? [] : [chain]));
      const links = chain?.links.map(
        ({ fqn, position, config }) => `${fqn}#${position} ${config?.["from"] as string}`,
      );
      expect(links).toEqual(chainOf(model, target, port));
    }
    // The etag says whether the same runs.
    for (const [a, b] of asked.flatMap((one) => asked.map((another) => [one, another] as const))) {
      const isSame = equals(ChainSchema, { ...a, etag: "" }, { ...b, etag: "" });
      expect(a.etag === b.etag).toBe(isSame);
    }
  }
}

function compareReplica(
  { scope, replica }: Watch,
  { reader }: InMemory,
  model: ModelCatalog,
): void {
  const expected = [...model.extensions.values()].filter((each) => belongsTo(scope, each));
  expect([...replica.extensions.keys()].sort()).toEqual(expected.map(fqnOf).sort());
  const sets = [...model.sets.keys()].filter((target) =>
    scope.includes("/tenants/") ? tenantOf(target) === scope : organizationOf(target) === scope,
  );
  expect([...replica.attachmentSets.keys()].sort()).toEqual(sets.sort());
  for (const [fqn, extension] of replica.extensions) {
    expect(extension).toEqual(storedExtensions(reader).get(fqn));
  }
  for (const [fqn, attachmentSet] of replica.attachmentSets) {
    expect(attachmentSet).toEqual(storedSets(reader).get(fqn));
    expect(attachmentSet.extension.map((each) => each.fqn)).toEqual(
      model.sets.get(fqn)?.map((each) => each.fqn),
    );
  }
}

test("every list, chain and watch is what the model says, after any writes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), async (steps) => {
      const catalog = createInMemory({ bookmarkIntervalMs: 0 });
      const model: ModelCatalog = { extensions: new Map(), sets: new Map() };
      const watchOf = (scope: string): Watch => ({
        scope,
        replica: createReplica(),
        reader: open(catalog, scope, 1n),
        revision: 0n,
      });
      // Two of each scope: one that is read after every step, and one that falls behind.
      const watches = [...scopes, ...scopes].map(watchOf);
      for (const [index, step] of steps.entries()) {
        await take(catalog, model, step);
        if (step.kind === "restart-watch") {
          const watch = watches[step.watch];
          watch?.reader.cancel();
          if (watch !== undefined) {
            watch.reader = open(catalog, watch.scope, watch.revision + 1n);
          }
        }
        const eager = watches[index % scopes.length];
        if (eager !== undefined) {
          await catchUp(eager, catalog);
          compareReplica(eager, catalog, model);
        }
      }
      await compareReads(catalog, model);
      for (const scope of scopes) {
        const late = { ...watchOf(scope), reader: open(catalog, scope, 0n) };
        watches.push(late);
      }
      for (const watch of watches) {
        await catchUp(watch, catalog);
        compareReplica(watch, catalog, model);
        watch.reader.cancel();
      }
    }),
    { numRuns: 40 },
  );
}, 60_000);
