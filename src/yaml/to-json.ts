/* Converts documents to JSON values, and refuses what JSON cannot hold. */
import type { JsonValue } from "@bufbuild/protobuf";
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { type OffsetDiagnostic, UnreadableError, firstDiagnostic } from "./fault.ts";
import { type Meaning, meaningOfNumber, meaningOfPlain } from "./scalar.ts";

/** The value of a document, or why it cannot be converted. */
export type Converted =
  | {
      readonly kind: "value";
      readonly value: JsonValue;
      /** The values of aliases. */
      readonly targets: ReadonlyMap<Alias, Node>;
    }
  | { readonly kind: "unreadable"; readonly diagnostic: OffsetDiagnostic };

/** The greatest number of values that all aliases of a document may add. No object needs as many. */
export const maxAliasedValues = 10_000;

/**
 * Converts a document.
 *
 * @param isJson - whether it is JSON, whose numbers have the syntax of YAML 1.2
 */
export function toJson(document: Document.Parsed, isJson: boolean): Converted {
  const diagnostic = firstDiagnostic([...document.errors, ...document.warnings]);
  if (diagnostic !== undefined) {
    return { kind: "unreadable", diagnostic };
  }
  const converter = createConverter(isJson ? meaningInJson : meaningOfPlain);
  try {
    const { value } = converter.convert(document.contents);
    return { kind: "value", value, targets: converter.targets };
  } catch (error) {
    if (error instanceof UnreadableError) {
      return { kind: "unreadable", diagnostic: error.diagnostic };
    }
    throw error;
  }
}

/** A value, and the number of values in it, itself included. */
interface Sized {
  readonly value: JsonValue;
  readonly size: number;
}

interface Anchored {
  readonly node: Node;
  /** Undefined while the node is being converted. */
  sized: Sized | undefined;
}

function createConverter(meaningOf: (text: string) => Meaning) {
  const anchors = new Map<string, Anchored>();
  const targets = new Map<Alias, Node>();
  let aliased = 0;

  const convert = (node: unknown): Sized => {
    if (!isNode(node)) {
      return { value: null, size: 1 };
    }
    if (isAlias(node)) {
      return convertAlias(node);
    }
    const { anchor } = node as { anchor?: string };
    if (anchor === undefined) {
      return convertContent(node);
    }
    const anchored: Anchored = { node, sized: undefined };
    anchors.set(anchor, anchored);
    anchored.sized = convertContent(node);
    return anchored.sized;
  };

  const convertAlias = (alias: Alias): Sized => {
    const { source } = alias;
    const anchored = anchors.get(source);
    if (anchored === undefined) {
      refuse(
        alias,
        `*${source} names an anchor that is not defined before it; write &${source} there, or put quotes around the value`,
      );
    }
    if (anchored.sized === undefined) {
      refuse(alias, `*${source} refers to a value that contains it; write the value out`);
    }
    aliased += anchored.sized.size;
    if (aliased > maxAliasedValues) {
      refuse(
        alias,
        `the aliases expand to more than ${maxAliasedValues} values; write the values out`,
      );
    }
    targets.set(alias, anchored.node);
    return anchored.sized;
  };

  const convertContent = (node: Node): Sized => {
    if (isScalar(node)) {
      return { value: valueOf(node, meaningOf), size: 1 };
    }
    if (isMap(node)) {
      requireTag(node, "map");
      return convertMap(node);
    }
    if (isSeq(node)) {
      requireTag(node, "seq");
      const items = node.items.map(convert);
      return { value: items.map(({ value }) => value), size: sizeOf(items) };
    }
    return refuse(node, "the value cannot be written as JSON; write a mapping, a list or a scalar");
  };

  const convertMap = (map: YAMLMap): Sized => {
    const seen = new Set<string>();
    const entries: [string, JsonValue][] = [];
    const items: Sized[] = [];
    for (const { key, value } of map.items) {
      const name = nameOf(map, key, meaningOf);
      if (seen.has(name)) {
        refuse(key as Node, `duplicate key ${name} in the same mapping; keep one`);
      }
      seen.add(name);
      const item = convert(value);
      items.push(item);
      entries.push([name, item.value]);
    }
    return { value: Object.fromEntries(entries), size: sizeOf(items) };
  };

  return { convert, targets };
}

function sizeOf(items: readonly Sized[]): number {
  return items.reduce((sum, { size }) => sum + size, 1);
}

const tagPrefix = "tag:yaml.org,2002:";

function requireTag(node: Node, wanted: "map" | "seq"): void {
  if (node.tag !== undefined && node.tag !== `${tagPrefix}${wanted}`) {
    refuse(node, `the value does not have the type of its tag; leave the tag out`);
  }
}

/** The JSON types of tags for unquoted values. */
const taggedTypes: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  bool: (value) => typeof value === "boolean",
  int: (value) => Number.isInteger(value),
  float: (value) => typeof value === "number",
};

function valueOf(
  scalar: Scalar,
  meaningOf: (text: string) => Meaning,
): null | boolean | number | string {
  const { tag, type, source = "" } = scalar;
  if (tag === undefined) {
    return type === "PLAIN" ? clear(scalar, meaningOf(source)) : source;
  }
  const name = tag.slice(tagPrefix.length);
  if (name === "str") {
    return source;
  }
  const value = clear(scalar, meaningOf(source));
  return taggedTypes[name]?.(value) === true
    ? value
    : refuse(scalar, `${source} does not have the type of its tag; leave the tag out`);
}

/** The name of a key. A key that YAML does not read as a string is accepted if JSON writes it the same. */
function nameOf(map: YAMLMap, key: unknown, meaningOf: (text: string) => Meaning): string {
  if (isAlias(key)) {
    refuse(key, `*${key.source} is an alias as a key; write the key out`);
  }
  if (!isScalar(key)) {
    const node = isNode(key) ? key : map;
    refuse(node, "the key is not a string; write a string, in quotes if it begins with a bracket");
  }
  const value = valueOf(key, meaningOf);
  const { source = "" } = key;
  if (value === null || (typeof value !== "string" && String(value) !== source)) {
    const shown = source === "" ? "an empty key" : source;
    refuse(key, `${shown} is not a string, and keys must be strings; put quotes around it`);
  }
  return source;
}

/** The JSON number or constant of an unquoted text. */
function meaningInJson(text: string): Meaning {
  switch (text) {
    case "null":
      return { kind: "value", value: null };
    case "true":
    case "false":
      return { kind: "value", value: text === "true" };
    default:
      return meaningOfNumber(text);
  }
}

function clear(node: Node, meaning: Meaning): null | boolean | number | string {
  return meaning.kind === "value" ? meaning.value : refuse(node, meaning.problem);
}

function refuse(node: Node, message: string): never {
  throw new UnreadableError(node.range?.[0] ?? 0, message);
}
