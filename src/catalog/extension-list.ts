/*
 * Lists of extensions, whole or page by page.
 *
 * 1. The pages of one list all walk the state that the first page saw, so an extension that moves in
 *    the order meanwhile is neither skipped nor shown twice.
 * 2. What they show is looked up in the present state, so an extension that was deleted or withdrawn
 *    meanwhile is not shown, and one that changed is shown as it is now.
 */
import { buildPath } from "@bufbuild/protobuf/reflect";
import type { WasmExtension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { ListWasmExtensionRequestSchema as RequestSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { invalid } from "./errors.ts";
import { extensionsOf, isInScope } from "./extension-reads.ts";
import { fieldProblem } from "./field-problem.ts";
import { formatPageToken, type PageToken, parsePageToken } from "./page-token.ts";
import type { State } from "./state.ts";
import type { Store } from "./store.ts";

/** The greatest page; a larger `page_size` counts as this. */
const maxPageSize = 1000;

/** What the list RPCs ask for. */
export interface ListRequest {
  /** The fqn of an organization or of a tenant. */
  readonly parent: string;
  /** 0 asks for everything. */
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
}

/** A page of a list. */
export interface Page {
  readonly extensions: WasmExtension[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/**
 * Lists the extensions of an organization, or those that a tenant may use, in execution order.
 *
 * Raises a CatalogError of the kind invalid if the token is not one of this list, or is so old that
 * the state it refers to is no longer kept.
 */
export function listExtensions(store: Store, { parent, pageSize, pageToken }: ListRequest): Page {
  const token = pageToken === "" ? undefined : tokenOf(parent, pageToken);
  const walked = token === undefined ? store.state : stateOf(store, token);
  const after = token && walked.extensions.get(token.after);
  if (token !== undefined && after === undefined) {
    throw refusedToken("PAGE_TOKEN_INVALID", "is not one that this server gave out");
  }
  const limit = pageSize === 0 ? Infinity : Math.min(pageSize, maxPageSize);
  const extensions: WasmExtension[] = [];
  for (const { fqn } of extensionsOf(walked, parent, after)) {
    const extension = presentIn(store.state, parent, fqn);
    if (extension === undefined) {
      continue;
    }
    const last = extensions.at(-1);
    if (extensions.length === limit && last !== undefined) {
      store.pin(walked);
      const next = { parent, revision: walked.revision, after: last.fqn };
      return { extensions, nextPageToken: formatPageToken(next) };
    }
    extensions.push(extension);
  }
  return { extensions, nextPageToken: "" };
}

function presentIn(state: State, scope: string, fqn: string): WasmExtension | undefined {
  const extension = state.extensions.get(fqn);
  return extension !== undefined && isInScope(scope, extension) ? extension : undefined;
}

function tokenOf(parent: string, text: string): PageToken {
  const token = parsePageToken(text);
  if (token === undefined) {
    throw refusedToken("PAGE_TOKEN_INVALID", "is not one that this server gave out");
  }
  if (token.parent !== parent) {
    throw refusedToken("PAGE_TOKEN_INVALID", `belongs to a list of another parent than ${parent}`);
  }
  return token;
}

function stateOf(store: Store, { revision }: PageToken): State {
  const state = store.stateAt(revision);
  if (state === undefined) {
    throw refusedToken("PAGE_TOKEN_EXPIRED", "has expired");
  }
  return state;
}

function refusedToken(reason: string, problem: string): Error {
  const path = buildPath(RequestSchema).field(RequestSchema.field.pageToken).toPath();
  const text = `${problem}; list again from the first page, without a token`;
  return invalid([fieldProblem(path, "page_token", text)], reason);
}
