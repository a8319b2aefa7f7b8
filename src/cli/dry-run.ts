import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { isExtension } from "../catalog/names/fqn.ts";
import { createInMemoryTransport } from "../in-memory.ts";
import type { CatalogObject, SourcedObject } from "../yaml/read.ts";
import { type Clients, createClients } from "./clients.ts";
import { createProgress } from "./progress.ts";
import { type Outcome, putAttachmentSet, putExtension, putObject } from "./put.ts";
import type { Shell } from "./shell.ts";
import { storedAttachmentSets, storedExtensions } from "./stored-objects.ts";

/** The least history that a store can have: a copy has no watches. */
const leastHistory = { history: { maxCommits: 1, maxWeight: 1 } };

/**
 * Returns a function that puts objects into an in-memory copy of a server's objects and the extensions
 * that they attach. It answers as the server would, except for the server's limit to messages, which is
 * not known.
 */
export async function createDryRun(
  shell: Shell,
  clients: Clients,
  objects: readonly SourcedObject[],
): Promise<(object: CatalogObject) => Promise<Outcome>> {
  const progress = createProgress(shell, (done) => `read ${done} objects`);
  const targets = objects.filter(isAttachmentSet).map(({ fqn }) => fqn);
  const sets = await storedAttachmentSets(clients, targets, progress);
  const wanted = objects.flatMap(({ fqn, object }) =>
    object.kind === "AttachmentSet" ? attachedBy([object.attachmentSet]) : [fqn],
  );
  const extensions = await storedExtensions(clients, wanted.concat(attachedBy(sets)), progress);
  progress.end();
  return createCopy(extensions, sets);
}

async function createCopy(
  extensions: readonly WasmExtension[],
  sets: readonly AttachmentSet[],
): Promise<(object: CatalogObject) => Promise<Outcome>> {
  const copy = createClients(createInMemoryTransport({ store: leastHistory }));
  for (const extension of extensions) {
    await putExtension(copy, extension, "");
  }
  for (const attachmentSet of sets) {
    await putAttachmentSet(copy, attachmentSet, "");
  }
  const known = new Set(extensions.map(({ fqn }) => fqn));
  return (object) =>
    object.kind === "WasmExtension" && !known.has(object.extension.fqn)
      ? // It does not exist, so putObject need not read it.
        putExtension(copy, object.extension, "")
      : putObject(copy, object);
}

function isAttachmentSet({ object }: SourcedObject): boolean {
  return object.kind === "AttachmentSet";
}

function attachedBy(sets: readonly AttachmentSet[]): string[] {
  return sets.flatMap(({ extension }) => extension.map(({ fqn }) => fqn)).filter(isExtension);
}
