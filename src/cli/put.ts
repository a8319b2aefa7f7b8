/*
 * Puts one object: reads it, and creates it or replaces it with the etag that was read, so that nothing
 * is overwritten that this has not seen.
 */
import { ConnectError } from "@connectrpc/connect";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { lastSegment, organizationOfExtension } from "../catalog/names/fqn.ts";
import type { CatalogObject } from "../yaml/read.ts";
import { findObject } from "./catalog-objects.ts";
import type { Clients } from "./clients.ts";
import { reasonOf } from "./failure.ts";

/** What has become of an object. */
export type Outcome = "created" | "configured" | "unchanged";

/** Puts an object. Raises a ConnectError if the server refuses it. */
export async function putObject(clients: Clients, object: CatalogObject): Promise<Outcome> {
  const { fqn } = object.kind === "WasmExtension" ? object.extension : object.attachmentSet;
  const current = await findObject(clients, fqn);
  if (object.kind === "AttachmentSet") {
    const etag = current?.attachmentSets[0]?.etag ?? "";
    return putAttachmentSet(clients, object.attachmentSet, etag);
  }
  const { extension } = object;
  const etag = current?.extensions[0]?.etag;
  if (etag === undefined) {
    const parent = organizationOfExtension(fqn);
    const name = lastSegment(fqn);
    await clients.extensions.createWasmExtension({ parent, name, wasmExtension: extension });
    return "created";
  }
  const stored = await clients.extensions.updateWasmExtension({ ...extension, etag });
  return stored.etag === etag ? "unchanged" : "configured";
}

/**
 * Puts an attachment set.
 *
 * @param etag - of the set that it replaces; empty to create one
 */
export async function putAttachmentSet(
  { attachments }: Clients,
  attachmentSet: AttachmentSet,
  etag: string,
): Promise<Outcome> {
  const answer = await attachments.setAttachments({ attachmentSet: { ...attachmentSet, etag } });
  if (etag === "") {
    return "created";
  }
  return answer.attachmentSet?.etag === etag ? "unchanged" : "configured";
}

/** Tells whether an object was not put because someone else has written it since it was read. */
export function isOvertaken(error: unknown): boolean {
  return error instanceof ConnectError && overtaken.has(reasonOf(error) ?? "");
}

const overtaken = new Set(["ETAG_MISMATCH", "ALREADY_EXISTS", "NOT_FOUND"]);
