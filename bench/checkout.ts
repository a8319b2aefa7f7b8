import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type CreateWasmExtensionRequest,
  ListWasmExtensionResponseSchema,
} from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";

/** What a catalog in memory does, in any checkout of the project. */
export interface Catalog {
  create(request: CreateWasmExtensionRequest): Promise<unknown>;
  get(fqn: string): unknown;
  /** Lists a page; returns the number of extensions. */
  list(parent: string, pageSize: number): number;
  /** Lists a page and encodes the answer; returns its bytes. */
  answerList(parent: string, pageSize: number): Uint8Array;
}

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment,
   @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access,
   @typescript-eslint/no-unsafe-return -- the types of another checkout are not known */

/** Loads the catalog of a checkout. Returns a function that creates an empty one. */
export async function loadCatalog(root: string): Promise<() => Catalog> {
  const hasRooms = existsSync(resolve(root, "src/catalog/reads"));
  const load = (path: string): Promise<any> => import(resolve(root, "src", path));
  const room = (name: string, file: string): Promise<any> =>
    load(`catalog/${hasRooms ? `${name}/` : ""}${file}`);
  const newCatalog = await catalogMaker(root, load);
  const { createExtension } = await room("writes", "extension-writes.ts");
  // Writes validated their requests themselves before the catalog had rooms.
  const { acceptedCreate } = hasRooms
    ? await load("catalog/rules/extension-requests.ts")
    : { acceptedCreate: (request: unknown) => request };
  const { getExtension } = await room("reads", "extension-reads.ts");
  const { extensionListing } = await room("reads", "listings.ts");
  const { listPage } = await room("reads", "pages.ts");
  const answers = hasRooms ? await load("methods/answer.ts") : undefined;
  const schema = ListWasmExtensionResponseSchema;
  return () => {
    const { reader, journal } = newCatalog();
    const page = (parent: string, pageSize: number): any =>
      listPage(reader, extensionListing, { parent, pageSize, pageToken: "" }, "anonymous");
    return {
      create: (request) => journal.write(createExtension(acceptedCreate(request))),
      get: (fqn) => getExtension(reader.state, fqn),
      list: (parent, pageSize) => page(parent, pageSize).items.length,
      answerList(parent, pageSize) {
        const { items, nextPageToken } = page(parent, pageSize);
        if (answers === undefined) {
          return toBinary(schema, create(schema, { extensions: items, nextPageToken }));
        }
        const kind = { schema, field: schema.field.extensions, rest: { nextPageToken } };
        return answers.holdingAnswer(kind, items).bytes();
      },
    };
  };
}

/** Returns a function that creates what is read and what is written. */
async function catalogMaker(
  root: string,
  load: (path: string) => Promise<any>,
): Promise<() => { reader: any; journal: any }> {
  if (existsSync(resolve(root, "src/journal/catalog.ts"))) {
    const { createMemoryCatalog } = await load("journal/catalog.ts");
    return createMemoryCatalog;
  }
  // A journal was created on a store before there were others.
  const { createStore } = await load("catalog/store.ts");
  const { createMemoryJournal } = await load("journal/memory.ts");
  return () => {
    const reader = createStore();
    return { reader, journal: createMemoryJournal(reader) };
  };
}
