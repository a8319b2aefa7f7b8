/*
 * Puts one object: reads it, and creates it or replaces it with the etag that was read, so that no other
 * write is lost.
 */
import { ConnectError } from "@connectrpc/connect";
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { lastSegment, organizationOfExtension } from "../catalog/names/fqn.ts";
import type { CatalogObject } from "../yaml/read.ts";
import { findObject } from "./catalog-objects.ts";
import type { Clients } from "./clients.ts";
import { reasonOf } from "./failure.ts";

/** The outcome of a put. */
export type Outcome = "created" | "configured" | "unchanged";

/** Puts an object. Raises a ConnectError if the server refuses it. */
export async function putObject(clients: Clients, object: CatalogObject): Promise<Outcome> {
  const { fqn } = object.kind === "WasmExtension" ? object.extension : object.attachmentSet;
  const current = await findObject(clients, fqn);
  const [stored] = current === undefined ? [] : [...current.extensions, ...current.attachmentSets];
  const etag = stored?.etag ?? "";
  return object.kind === "WasmExtension"
    ? putExtension(clients, object.extension, etag)
    : putAttachmentSet(clients, object.attachmentSet, etag);
}

/**
 * Puts an extension.
 *
 * @param etag - of the one that it replaces; empty to create one
 */
export async function putExtension(
  { extensions }: Clients,
  extension: WasmExtension,
  etag: string,
): Promise<Outcome> {
  if (etag === "") {
    const parent = organizationOfExtension(extension.fqn);
    const name = lastSegment(extension.fqn);
    await extensions.createWasmExtension({ parent, name, wasmExtension: extension });
    return "created";
  }
  const stored = await extensions.updateWasmExtension({ ...extension, etag });
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
