/* Reads the objects of a server. */
import type { JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { isExtension } from "../catalog/names/fqn.ts";
import { isTarget } from "../catalog/names/target.ts";
import { documentOfAttachmentSet, documentOfExtension } from "../yaml/write.ts";
import type { Clients } from "./clients.ts";
import { reasonOf } from "./failure.ts";
import { isNameOf } from "../catalog/names/forms.ts";

/** Objects of the catalog: extensions in the order in which they run, attachment sets by fqn. */
export interface CatalogObjects {
  readonly extensions: readonly WasmExtension[];
  readonly attachmentSets: readonly AttachmentSet[];
}

const pageSize = 500;

/** Reads an extension, or the attachment set of a target; undefined if it does not exist. */
export async function findObject(
  clients: Clients,
  fqn: string,
): Promise<CatalogObjects | undefined> {
  try {
    return await getObject(clients, fqn);
  } catch (error) {
    if (error instanceof ConnectError && reasonOf(error) === "NOT_FOUND") {
      return undefined;
    }
    throw error;
  }
}

/** Reads one object. Raises a ConnectError with the code NotFound if it does not exist. */
export async function getObject(
  { extensions, attachments }: Clients,
  fqn: string,
): Promise<CatalogObjects> {
  if (isExtension(fqn)) {
    return { extensions: [await extensions.getWasmExtension({ fqn })], attachmentSets: [] };
  }
  const { attachmentSet } = await attachments.getAttachments({ fqn });
  return { extensions: [], attachmentSets: attachmentSet === undefined ? [] : [attachmentSet] };
}

/**
 * Reads what is at or under an fqn. Under an organization or a tenant that is one state of the
 * catalog, so that each attached extension is there.
 */
export async function objectsUnder(clients: Clients, fqn: string): Promise<CatalogObjects> {
  if (isNameOf("watchable", fqn)) {
    return presentState(clients, fqn);
  }
  if (isExtension(fqn) || isTarget(fqn)) {
    return getObject(clients, fqn);
  }
  const attachmentSets: AttachmentSet[] = [];
  let pageToken = "";
  do {
    const request = { parent: fqn, pageSize, pageToken };
    const page = await clients.attachments.listAttachments(request);
    attachmentSets.push(...page.attachmentSets);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return { extensions: [], attachmentSets };
}

/** The documents of objects, as `apply` takes them. */
export function documentsOf({ extensions, attachmentSets }: CatalogObjects): JsonObject[] {
  return [
    ...extensions.map(documentOfExtension),
    ...attachmentSets.map((attachmentSet) => documentOfAttachmentSet(attachmentSet)),
  ];
}

async function presentState({ watches }: Clients, parent: string): Promise<CatalogObjects> {
  const extensions: WasmExtension[] = [];
  const attachmentSets: AttachmentSet[] = [];
  const enough = new AbortController();
  try {
    for await (const { events, bookmark } of watches.watch({ parent }, { signal: enough.signal })) {
      for (const { event } of events) {
        if (event.case === "extensionPut") {
          extensions.push(event.value);
        } else if (event.case === "attachmentSetPut") {
          attachmentSets.push(event.value);
        }
      }
      if (bookmark) {
        // The loop ends here. A break would leave the timer of the call's deadline running.
        enough.abort();
      }
    }
  } catch (error) {
    if (!enough.signal.aborted) {
      throw error;
    }
  }
  if (!enough.signal.aborted) {
    throw new ConnectError("the watch ended before the state was complete", Code.Unavailable);
  }
  return { extensions, attachmentSets };
}
