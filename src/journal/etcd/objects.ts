/* Objects as values of keys. A large one has several keys: the first says how many more. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EtcdObjectSchema } from "../../../gen/wasmext/stored/v1/etcd_pb.ts";
import {
  type Change as ChangeRecord,
  Change_Kind as Kind,
} from "../../../gen/wasmext/stored/v1/commit_pb.ts";
import type { Keys, ObjectKind } from "./keys.ts";
import { maxValueBytes, type Operation, partsOf, put, remove } from "./requests.ts";

/** Tells whether an object takes several keys. */
export function isInParts(bytes: Uint8Array | undefined): boolean {
  return bytes !== undefined && bytes.byteLength > maxValueBytes;
}

/** The kind of object that a change is of. */
export function objectKindOf({ kind }: ChangeRecord): ObjectKind {
  return isOfExtension(kind) ? "extension" : "attachment-set";
}

function isOfExtension(kind: Kind): boolean {
  return kind === Kind.PUT_EXTENSION || kind === Kind.DELETE_EXTENSION;
}

/** Tells whether a change puts an object. */
export function isPut({ kind }: ChangeRecord): boolean {
  return kind === Kind.PUT_EXTENSION || kind === Kind.PUT_ATTACHMENTS;
}

/**
 * What a change does to keys.
 *
 * @param wasInParts - whether the object before has more keys than one
 */
export function operationsOf(
  keys: Keys,
  change: ChangeRecord,
  { wasInParts }: { readonly wasInParts: boolean },
): Operation[] {
  const { fqn, object } = change;
  const kind = objectKindOf(change);
  const key = keys.object(kind, fqn);
  const [first = object, ...rest] = isPut(change) ? partsOf(object) : [];
  const removal = wasInParts ? [remove(keys.restFrom(kind, fqn, rest.length))] : [];
  if (!isPut(change)) {
    return [remove(key), ...removal];
  }
  const value = create(EtcdObjectSchema, { bytes: first, more: rest.length });
  return [
    put(key, toBinary(EtcdObjectSchema, value)),
    ...rest.map((part, index) => put(keys.rest(kind, fqn, index), part)),
    ...removal,
  ];
}

/** Objects that are gathered from the values of their keys, in any order. */
export interface Gathered {
  addFirst(kind: ObjectKind, fqn: string, value: Uint8Array): void;
  /** Parts of an object come in their order. */
  addRest(kind: ObjectKind, fqn: string, value: Uint8Array): void;
  /** The bytes of an object, which nothing else refers to; undefined if it is not there. */
  bytesOf(kind: ObjectKind, fqn: string): Uint8Array | undefined;
  entries(): Iterable<{ kind: ObjectKind; fqn: string; bytes: Uint8Array }>;
}

interface Parts {
  readonly kind: ObjectKind;
  readonly fqn: string;
  first?: { readonly bytes: Uint8Array; readonly more: number };
  readonly rest: Uint8Array[];
}

/** Creates an empty collection. */
export function gather(): Gathered {
  const found = new Map<string, Parts>();
  const partsFor = (kind: ObjectKind, fqn: string): Parts => {
    const name = `${kind} ${fqn}`;
    let parts = found.get(name);
    if (parts === undefined) {
      parts = { kind, fqn, rest: [] };
      found.set(name, parts);
    }
    return parts;
  };
  return {
    addFirst(kind, fqn, value) {
      const { bytes, more } = fromBinary(EtcdObjectSchema, value);
      partsFor(kind, fqn).first = { bytes, more };
    },
    addRest(kind, fqn, value) {
      partsFor(kind, fqn).rest.push(value);
    },
    bytesOf(kind, fqn) {
      const parts = found.get(`${kind} ${fqn}`);
      return parts === undefined ? undefined : joined(parts);
    },
    *entries() {
      for (const parts of found.values()) {
        const bytes = joined(parts);
        if (bytes !== undefined) {
          yield { kind: parts.kind, fqn: parts.fqn, bytes };
        }
      }
    },
  };
}

function joined({ fqn, first, rest }: Parts): Uint8Array | undefined {
  if (first === undefined) {
    return undefined;
  }
  if (rest.length < first.more) {
    throw new RangeError(`${fqn} has ${rest.length} of ${first.more} parts`);
  }
  return new Uint8Array(Buffer.concat([first.bytes, ...rest.slice(0, first.more)]));
}
