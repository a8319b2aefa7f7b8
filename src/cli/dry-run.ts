import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { isExtension } from "../catalog/names/fqn.ts";
import { createInMemoryTransport } from "../in-memory.ts";
import type { SourcedObject } from "../yaml/read.ts";
import { type CatalogObjects, findObject } from "./catalog-objects.ts";
import { type Clients, createClients } from "./clients.ts";
import { createProgress, type Progress } from "./progress.ts";
import { putObject } from "./put.ts";
import type { Shell } from "./shell.ts";

/**
 * Clients of a catalog in this process that holds what a server has of some objects, and of the
 * extensions that they attach. What is done to it is answered as the server would answer it, but for
 * the server's limit to messages, which is not known, and reaches nobody.
 */
export async function copyOf(
  shell: Shell,
  clients: Clients,
  objects: readonly SourcedObject[],
): Promise<Clients> {
  const copy = createClients(createInMemoryTransport());
  const progress = createProgress(shell, (done) => `read ${done} objects`);
  const targets = objects.filter(isAttachmentSet).map(({ fqn }) => fqn);
  const sets = await allOf(clients, targets, progress);
  const wanted = objects.flatMap(({ fqn, object }) =>
    object.kind === "AttachmentSet" ? attachedBy([object.attachmentSet]) : [fqn],
  );
  const fqns = [...wanted, ...attachedBy(sets.attachmentSets)];
  const extensions = await allOf(clients, fqns, progress);
  progress.end();
  for (const extension of extensions.extensions) {
    await putObject(copy, { kind: "WasmExtension", extension });
  }
  for (const attachmentSet of sets.attachmentSets) {
    await putObject(copy, { kind: "AttachmentSet", attachmentSet });
  }
  return copy;
}

function isAttachmentSet({ object }: SourcedObject): boolean {
  return object.kind === "AttachmentSet";
}

function attachedBy(sets: readonly AttachmentSet[]): string[] {
  return sets.flatMap(({ extension }) => extension.map(({ fqn }) => fqn)).filter(isExtension);
}

/** Those of the objects that the server has. */
async function allOf(
  clients: Clients,
  fqns: readonly string[],
  progress: Progress,
): Promise<CatalogObjects> {
  const extensions: WasmExtension[] = [];
  const attachmentSets: AttachmentSet[] = [];
  for (const fqn of new Set(fqns)) {
    const found = await findObject(clients, fqn);
    extensions.push(...(found?.extensions ?? []));
    attachmentSets.push(...(found?.attachmentSets ?? []));
    progress.advance();
  }
  return { extensions, attachmentSets };
}
