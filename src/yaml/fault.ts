/* What makes a document unreadable: what YAML refuses, and what JSON could not hold of it. */
import type { Alias, Document, Node, Scalar, YAMLError, YAMLMap } from "yaml";
import { isScalar, visit } from "yaml";

/** What makes a document unreadable, and where; the first of it. */
export interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** Finds what makes a document unreadable, beyond what it means. */
export function faultOf(document: Document.Parsed): Fault | undefined {
  // Tags and directives that are not known are warnings: the value may not be what was meant.
  const [error] = [...document.errors, ...document.warnings].toSorted(
    (a, b) => a.pos[0] - b.pos[0],
  );
  if (error !== undefined) {
    return { offset: error.pos[0], message: explain(error) };
  }
  if (document.directives.yaml.version !== "1.2") {
    const offset = document.range[0];
    return { offset, message: "the document says that it is not YAML 1.2; leave %YAML out" };
  }
  return faultOfNodes(document);
}

/** Many aliases of aliases make a small text a huge value; no object needs nearly as many. */
const maxAliases = 100;
/** How many values aliases may stand for, all together. */
const maxAliasedValues = 10_000;

function faultOfNodes(document: Document.Parsed): Fault | undefined {
  let fault: Fault | undefined;
  const stop = (node: Node, message: string): symbol => {
    fault = { offset: node.range?.[0] ?? 0, message };
    return visit.BREAK;
  };
  const aliases = createAliasCheck(document);
  visit(document, {
    Alias(_key, node, path) {
      const problem = aliases(node, path);
      return problem === undefined ? undefined : stop(node, problem);
    },
    Map(_key, map) {
      const key = repeatedKey(map);
      return key === undefined
        ? undefined
        : stop(key, `the key ${String(key.source)} stands twice in the same mapping; keep one`);
    },
    Scalar(key, node) {
      const problem = key === "key" ? problemOfKey(node) : problemOfNumber(node);
      return problem === undefined ? undefined : stop(node, problem);
    },
  });
  return fault;
}

/** Counts what aliases stand for, so that it is refused before it is written out. */
function createAliasCheck(document: Document.Parsed) {
  const sizes = new Map<Node, number>();
  let count = 0;
  let values = 0;
  const sizeOf = (node: Node): number => {
    const known = sizes.get(node);
    if (known !== undefined) {
      return known;
    }
    let size = 0;
    visit(node, {
      Alias(_key, alias) {
        const inner = alias.resolve(document);
        size += inner === undefined ? 1 : sizeOf(inner);
      },
      Node() {
        size++;
      },
    });
    sizes.set(node, size);
    return size;
  };
  return (alias: Alias, path: readonly unknown[]): string | undefined => {
    const { source } = alias;
    const node = alias.resolve(document);
    if (node === undefined) {
      return `*${source} names an anchor that does not stand before it; write &${source} there, or put quotes around the value`;
    }
    if (path.includes(node)) {
      return `*${source} stands inside of what &${source} names; write the value out`;
    }
    count++;
    values += sizeOf(node);
    return count > maxAliases || values > maxAliasedValues
      ? `there are more than ${maxAliases} aliases, or they stand for more than ${maxAliasedValues} values; write the values out`
      : undefined;
  };
}

function repeatedKey(map: YAMLMap): Scalar | undefined {
  const seen = new Set<unknown>();
  for (const { key } of map.items) {
    if (isScalar(key)) {
      if (seen.has(key.value)) {
        return key;
      }
      seen.add(key.value);
    }
  }
  return undefined;
}

/** Other readers of YAML merge where this would keep the key. */
function problemOfKey({ source, type }: Scalar): string | undefined {
  return source === "<<" && type === "PLAIN"
    ? "<< merges in other versions of YAML; write the keys out, or put quotes around it"
    : undefined;
}

/** JSON has no infinity and no NaN, and its numbers are doubles wherever config is read. */
function problemOfNumber({ value, source }: Scalar): string | undefined {
  const text = source ?? String(value);
  if (typeof value === "bigint" && !isExact(value)) {
    return `${text} is more than a number of JSON holds exactly; put quotes around it to make it a string`;
  }
  return typeof value === "number" && !Number.isFinite(value)
    ? `${text} has no form in JSON; write a finite number, or put quotes around it`
    : undefined;
}

/** What a double holds, or what a double of that value is written as. */
function isExact(value: bigint): boolean {
  const double = Number(value);
  return Number.isFinite(double) && (BigInt(double) === value || String(double) === String(value));
}

/** Says what is wrong in words that help to mend it; the parser's own are those of its grammar. */
function explain({ code, message }: YAMLError): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab stands where YAML wants spaces; indent with spaces";
    case "BAD_INDENT":
      return message.startsWith("Flow ")
        ? `this is no YAML: ${message}`
        : "the indentation does not fit what stands above; begin all keys of a mapping, and all items of a list, in the same column";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return "the indentation does not fit, or quotes are missing: this value seems to go on with a key; begin all keys of a mapping in the same column, and put quotes around a value that holds ': '";
    case "RESOURCE_EXHAUSTION":
      return "the document is nested too deeply; flatten it";
    case "TAG_RESOLVE_FAILED":
      return `${message}; leave the tag out`;
    default:
      return `this is no YAML: ${message}`;
  }
}
