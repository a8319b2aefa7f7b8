/*
 * The keys of a catalog in etcd, under its prefix:
 *
 *   b/ORG/ID/N        pieces of a commit that is too large for one transaction
 *   catalog           format and incarnation
 *   h/ORG             the head: the latest commit of an organization
 *   o/ORG/e/NAME      an extension
 *   o/ORG/a/TARGET    the attachments of a target
 *   p/ORG             the commit of an organization that is pending: committed, and not carried out; or
 *                     a reservation of the next one
 *   r/ORG/e/NAME/N    the rest of an object that is too large for one key
 *   r/ORG/a/TARGET/N
 *
 * Followers watch all keys except the pieces, which have no effect until a head names them.
 */
import { organizationOf } from "../../catalog/names/fqn.ts";

/** The kinds of objects. */
export type ObjectKind = "extension" | "attachment-set";

/** A range of keys, as requests have it. */
export interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** What a key holds. */
export type KeyOf =
  | { readonly of: "catalog" }
  | { readonly of: "head" | "pending"; readonly organization: string }
  | { readonly of: "piece"; readonly organization: string; readonly id: string }
  | { readonly of: "object" | "rest"; readonly kind: ObjectKind; readonly fqn: string };

/** The keys of a catalog. Organizations are given by their fqns. */
export interface Keys {
  readonly prefix: string;
  readonly all: KeyRange;
  /** All but pieces. */
  readonly watched: KeyRange;
  readonly heads: KeyRange;
  readonly pieces: KeyRange;
  readonly catalog: Uint8Array;
  head(organization: string): Uint8Array;
  pending(organization: string): Uint8Array;
  piece(organization: string, id: string, index: number): Uint8Array;
  piecesOf(organization: string, id: string): KeyRange;
  object(kind: ObjectKind, fqn: string): Uint8Array;
  rest(kind: ObjectKind, fqn: string, index: number): Uint8Array;
  /** The rest of an object from a part on. */
  restFrom(kind: ObjectKind, fqn: string, index: number): KeyRange;
  /** Undefined for keys that are not of a catalog. */
  parse(key: Uint8Array): KeyOf | undefined;
}

const parents = { extension: "extensions/", "attachment-set": "" } as const;
const letters = { extension: "e", "attachment-set": "a" } as const;

/** The keys under a prefix. */
export function keysUnder(prefix: string): Keys {
  const key = (text: string): Uint8Array => Buffer.from(prefix + text);
  /** Up to and without `to`. */
  const range = (from: string, to: string): KeyRange => ({ key: key(from), rangeEnd: key(to) });
  const ofObject = (kind: ObjectKind, fqn: string): string => {
    const organization = organizationOf(fqn);
    const name = fqn.slice(organization.length + 1 + parents[kind].length);
    return `${shortOf(organization)}/${letters[kind]}/${name}`;
  };
  return {
    prefix,
    all: { key: key(""), rangeEnd: endOf(key("")) },
    watched: { key: key("c"), rangeEnd: endOf(key("")) },
    heads: range("h/", "h0"),
    pieces: range("b/", "b0"),
    catalog: key("catalog"),
    head: (organization) => key(`h/${shortOf(organization)}`),
    pending: (organization) => key(`p/${shortOf(organization)}`),
    piece: (organization, id, index) => key(`b/${shortOf(organization)}/${id}/${padded(index)}`),
    piecesOf: (organization, id) =>
      range(`b/${shortOf(organization)}/${id}/`, `b/${shortOf(organization)}/${id}0`),
    object: (kind, fqn) => key(`o/${ofObject(kind, fqn)}`),
    rest: (kind, fqn, index) => key(`r/${ofObject(kind, fqn)}/${padded(index)}`),
    restFrom: (kind, fqn, index) =>
      range(`r/${ofObject(kind, fqn)}/${padded(index)}`, `r/${ofObject(kind, fqn)}0`),
    parse(bytes) {
      const text = Buffer.from(bytes).toString();
      return text.startsWith(prefix) ? parse(text.slice(prefix.length)) : undefined;
    },
  };
}

function parse(text: string): KeyOf | undefined {
  if (text === "catalog") {
    return { of: "catalog" };
  }
  const [, letter, short = "", rest = ""] = /^([bhopr])\/([^/]+)(?:\/(.+))?$/.exec(text) ?? [];
  const organization = `organizations/${short}`;
  switch (letter) {
    case "h":
      return { of: "head", organization };
    case "p":
      return { of: "pending", organization };
    case "b":
      return { of: "piece", organization, id: rest.slice(0, rest.lastIndexOf("/")) };
    case "o":
      return objectOf("object", organization, rest);
    case "r":
      return objectOf("rest", organization, rest.slice(0, rest.lastIndexOf("/")));
    default:
      return undefined;
  }
}

function objectOf(of: "object" | "rest", organization: string, rest: string): KeyOf | undefined {
  const name = rest.slice(2);
  switch (rest.slice(0, 2)) {
    case "e/":
      return { of, kind: "extension", fqn: `${organization}/extensions/${name}` };
    case "a/":
      return { of, kind: "attachment-set", fqn: `${organization}/${name}` };
    default:
      return undefined;
  }
}

/** The name of an organization without its collection. */
function shortOf(organization: string): string {
  return organization.slice("organizations/".length);
}

/** Keys with numbers have their order. */
function padded(index: number): string {
  return String(index).padStart(6, "0");
}

/** The first key after all that begin with some bytes. */
function endOf(prefix: Uint8Array): Uint8Array {
  const end = Buffer.from(prefix);
  for (let last = end.length - 1; last >= 0; last--) {
    const byte = end[last] ?? 0;
    if (byte < 0xff) {
      end[last] = byte + 1;
      return end.subarray(0, last + 1);
    }
  }
  return Buffer.from([0]);
}
