/*
 * Lists, whole or page by page.
 *
 * 1. All pages of a list walk the state that the first page saw, so an object that moves in the order
 *    meanwhile is shown exactly once.
 * 2. Each object is read from the present state: deleted and withdrawn objects are left out, changed
 *    objects are shown as they are now.
 */
import { buildPath } from "@bufbuild/protobuf/reflect";
import { ListWasmExtensionRequestSchema as RequestSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { invalid } from "../errors.ts";
import { fieldViolation } from "../rules/field-violation.ts";
import { organizationOf } from "../names/fqn.ts";
import type { PageToken } from "./page-token.ts";
import { organizationIn, type State } from "../state/state.ts";
import type { Reader } from "../store.ts";
import type { Stored } from "../state/stored.ts";

/** The greatest page size; a larger `page_size` counts as this. */
export const maxPageSize = 1000;

/** What the list RPCs ask for. */
export interface ListRequest {
  /** The fqn that the listed objects are under. */
  readonly parent: string;
  /** 0 asks for everything. */
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
}

/** A page of a list. */
export interface Page<Item> {
  readonly items: Stored<Item>[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** What can be listed, and how. */
export interface Listing<Item> {
  /** Tells the tokens of this list from those of others. */
  readonly name: string;
  /**
   * The objects under a parent in the order of the list, beginning after the one named `after`;
   * undefined if the state has none of that name.
   */
  walk(state: State, parent: string, after?: string): Iterable<Stored<Item>> | undefined;
  /** The object of a name, if it is under the parent. */
  find(state: State, parent: string, fqn: string): Stored<Item> | undefined;
}

/**
 * Lists what is under a parent.
 *
 * Raises a CatalogError of the kind invalid if the token is not one of this list that the caller got, or
 * is so old that the state it refers to is no longer kept.
 *
 * @param caller - the name of who lists
 */
export function listPage<Item extends { readonly fqn: string }>(
  store: Reader,
  listing: Listing<Item>,
  { parent, pageSize, pageToken }: ListRequest,
  caller: string,
): Page<Item> {
  const list = `${listing.name}:${parent}`;
  const token = pageToken === "" ? undefined : tokenOf(store, list, caller, pageToken);
  const organization = organizationOf(parent);
  const walked = token === undefined ? store.state : stateOf(store, organization, token);
  const walk = listing.walk(walked, parent, token?.after);
  if (walk === undefined) {
    throw foreignToken();
  }
  const limit = pageSize === 0 ? Infinity : Math.min(pageSize, maxPageSize);
  // What is walked is the present state itself while no commit has changed the organization.
  const isPresent = organizationIn(walked, parent) === organizationIn(store.state, parent);
  const items: Stored<Item>[] = [];
  for (const stored of walk) {
    const item = isPresent ? stored : listing.find(store.state, parent, stored.message.fqn);
    if (item === undefined) {
      continue;
    }
    const last = items.at(-1);
    if (items.length === limit && last !== undefined) {
      store.snapshots.keep(walked, organization);
      const next = { list, revision: walked.revision, after: last.message.fqn };
      return { items, nextPageToken: store.pageTokens.format(caller, next) };
    }
    items.push(item);
  }
  return { items, nextPageToken: "" };
}

/**
 * Reads the token of a list that a caller got.
 *
 * Raises a CatalogError of the kind invalid if it is not one.
 */
export function tokenOf(
  store: Pick<Reader, "pageTokens">,
  list: string,
  caller: string,
  text: string,
): PageToken {
  const token = store.pageTokens.parse(caller, text);
  if (token === "expired") {
    throw expiredToken();
  }
  if (token === undefined) {
    throw foreignToken();
  }
  if (token.list !== list) {
    throw refusedToken("PAGE_TOKEN_INVALID", "belongs to another list");
  }
  return token;
}

function stateOf(store: Reader, organization: string, { revision }: PageToken): State {
  const state =
    revision === store.state.revision ? store.state : store.snapshots.at(organization, revision);
  if (state === undefined) {
    throw expiredToken();
  }
  return state;
}

function expiredToken(): Error {
  return refusedToken("PAGE_TOKEN_EXPIRED", "has expired");
}

function foreignToken(): Error {
  return refusedToken("PAGE_TOKEN_INVALID", "is not one that this server gave to this caller");
}

function refusedToken(reason: string, problem: string): Error {
  // Every list request has a field of this name.
  const path = buildPath(RequestSchema).field(RequestSchema.field.pageToken).toPath();
  const text = `${problem}; list again from the first page, without a token`;
  return invalid([fieldViolation(path, "page_token", text)], reason);
}
