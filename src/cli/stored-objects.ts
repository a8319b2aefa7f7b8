import { ConnectError } from "@connectrpc/connect";
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { AttachmentSet } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { organizationOf } from "../catalog/names/fqn.ts";
import { findObject } from "./catalog-objects.ts";
import type { Clients } from "./clients.ts";
import { isRefusal } from "./failure.ts";
import type { Progress } from "./progress.ts";

/** From this number of objects of an organization on, its list is read instead of single objects. */
const leastForList = 200;

const pageSize = 1_000;

/** Reads extensions. Those that do not exist are left out. */
export function storedExtensions(
  clients: Clients,
  fqns: Iterable<string>,
  progress: Progress,
): Promise<WasmExtension[]> {
  return stored(fqns, progress, {
    async find(fqn) {
      return (await findObject(clients, fqn))?.extensions[0];
    },
    async list(parent, pageToken) {
      const request = { parent, pageSize, pageToken };
      const { extensions, nextPageToken } = await clients.extensions.listWasmExtension(request);
      return { objects: extensions, nextPageToken };
    },
  });
}

/** Reads attachment sets. Those that do not exist are left out. */
export function storedAttachmentSets(
  clients: Clients,
  fqns: Iterable<string>,
  progress: Progress,
): Promise<AttachmentSet[]> {
  return stored(fqns, progress, {
    async find(fqn) {
      return (await findObject(clients, fqn))?.attachmentSets[0];
    },
    async list(parent, pageToken) {
      const request = { parent, pageSize, pageToken };
      const { attachmentSets, nextPageToken } = await clients.attachments.listAttachments(request);
      return { objects: attachmentSets, nextPageToken };
    },
  });
}

/** How objects of a kind are read. */
interface Reads<Stored> {
  readonly find: (fqn: string) => Promise<Stored | undefined>;
  readonly list: (
    organization: string,
    pageToken: string,
  ) => Promise<{ readonly objects: readonly Stored[]; readonly nextPageToken: string }>;
}

async function stored<Stored extends { readonly fqn: string }>(
  fqns: Iterable<string>,
  progress: Progress,
  reads: Reads<Stored>,
): Promise<Stored[]> {
  let found: Stored[] = [];
  for (const [organization, wanted] of Map.groupBy(new Set(fqns), organizationOf)) {
    const listed =
      wanted.length < leastForList
        ? undefined
        : await readList(organization, new Set(wanted), progress, reads);
    found = found.concat(listed ?? (await readEach(wanted, progress, reads)));
  }
  return found;
}

async function readEach<Stored>(
  fqns: readonly string[],
  progress: Progress,
  { find }: Reads<Stored>,
): Promise<Stored[]> {
  const found: Stored[] = [];
  for (const fqn of fqns) {
    const object = await find(fqn);
    if (object !== undefined) {
      found.push(object);
    }
    progress.advance();
  }
  return found;
}

/** Reads objects from the list of their organization; undefined if the server refuses the list. */
async function readList<Stored extends { readonly fqn: string }>(
  organization: string,
  wanted: ReadonlySet<string>,
  progress: Progress,
  { list }: Reads<Stored>,
): Promise<Stored[] | undefined> {
  const found: Stored[] = [];
  let pageToken = "";
  try {
    do {
      const page = await list(organization, pageToken);
      for (const object of page.objects) {
        if (wanted.has(object.fqn)) {
          found.push(object);
        }
        progress.advance();
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return found;
  } catch (error) {
    if (error instanceof ConnectError && isRefusal(error)) {
      return undefined;
    }
    throw error;
  }
}
