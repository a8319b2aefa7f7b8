/*
 * Grants files, in YAML or JSON:
 *
 *     rules:
 *       - claim: groups
 *         value: team-red
 *         grants:
 *           - resource: organizations/acme/tenants/red
 *             permissions: [READ, WRITE]
 *       - certificate: CN=ci,O=Acme
 *         grants: [...]
 *
 * `claim` is the name of a claim, which may be a url, or a path with dots between the names
 * (`realm_access.roles`), or a list of the names where they hold dots themselves (`[kubernetes.io,
 * namespace]`). The claim is a string, or a list of strings. `value` and `certificate` are strings or lists
 * of strings. A caller has the grants of all the rules that are for it.
 *
 * Reading is strict: a file with anything unknown, misspelt or duplicate in it is not used at all.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from "yaml";
import type { Grant, Permission } from "../catalog/access/principal.ts";
import { permissions } from "../catalog/access/principal.ts";
import { excerpt } from "../catalog/names/excerpt.ts";
import { indexRules, type GrantRules, type Match, type Rule } from "./grant-rules.ts";
import { isPermission, problemOfResource } from "./grants.ts";

/** Greatest grants file, in bytes: larger ones would keep callers waiting while they are read. */
export const maxGrantsFileBytes = 256 * 1024;

/**
 * How many values the aliases of a file may expand to, in all: each could expand to most of the file, and a
 * file of many such aliases would not fit into memory.
 */
const maxAliased = 10_000;

/** Is raised if a grants file cannot be used. The message names file, line and problem. */
export class GrantsFileError extends Error {}

/** What is wrong, and with which part of the file. */
class Problem extends Error {
  readonly node: Node | undefined;

  constructor(node: Node | undefined, message: string) {
    super(message);
    this.node = node;
  }
}

/**
 * Reads the text of a grants file.
 *
 * Raises a GrantsFileError for the first problem.
 *
 * @param file - the name of the file, for errors
 */
export function parseGrantsFile(file: string, text: string): GrantRules {
  const fail = (line: number | undefined, problem: string): GrantsFileError =>
    new GrantsFileError(`${file}${line === undefined ? "" : `:${line}`}: ${problem}`);
  if (Buffer.byteLength(text) > maxGrantsFileBytes) {
    throw fail(undefined, `it has more than ${maxGrantsFileBytes / 1024} KiB; give groups grants`);
  }
  const lineCounter = new LineCounter();
  // The library compares each key with all others; `mapping` finds duplicates.
  const options = { lineCounter, prettyErrors: false, stringKeys: true, uniqueKeys: false };
  const document = parseDocument(text, options);
  // A warning is an unknown tag.
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    throw fail(lineCounter.linePos(fault.pos[0]).line, fault.message);
  }
  const targets = targetsIn(document);
  let aliased = 0;
  try {
    const root = mapping(document.contents, "the file", ["rules"]);
    const rules = items(root.get("rules", true), root, "rules");
    return indexRules(rules.map((node) => ruleOf(resolved(node))));
  } catch (error) {
    if (!(error instanceof Problem)) {
      throw error;
    }
    const [offset] = error.node?.range ?? [0];
    throw fail(lineCounter.linePos(offset).line, error.message);
  }

  function resolved(node: unknown): Node | undefined {
    if (!isAlias(node)) {
      return node as Node | undefined;
    }
    const target = targets.get(node);
    if (target === undefined) {
      throw new Problem(node, `there is no anchor ${excerpt(node.source)}`);
    }
    aliased += valuesIn(target);
    if (aliased > maxAliased) {
      const problem = `aliases expand to more than ${maxAliased} values`;
      throw new Problem(node, `${problem}; list several strings in one rule instead`);
    }
    return target;
  }

  function mapping(node: unknown, what: string, known: readonly string[]): YAMLMap {
    const map = resolved(node);
    if (!isMap(map)) {
      throw new Problem(map, `${what} is not a mapping of ${known.join(", ")}`);
    }
    const names = new Set<string>();
    for (const { key } of map.items) {
      const name = isScalar(key) ? String(key.value) : "";
      if (!known.includes(name)) {
        const remedy = `write ${known.join(", ")}`;
        throw new Problem(key as Node, `${excerpt(name)} is not known in ${what}; ${remedy}`);
      }
      if (names.has(name)) {
        throw new Problem(key as Node, `${name} is not unique in ${what}; write it once`);
      }
      names.add(name);
    }
    return map;
  }

  function items(node: unknown, parent: Node, what: string): unknown[] {
    const sequence = resolved(node);
    if (!isSeq(sequence)) {
      throw new Problem(sequence ?? parent, `${what} is not a list`);
    }
    return sequence.items;
  }

  function texts(node: unknown, parent: Node, what: string): string[] {
    const value = resolved(node);
    const nodes = isSeq(value) ? value.items.map(resolved) : [value];
    if (nodes.length === 0) {
      throw new Problem(value, `${what} is an empty list`);
    }
    return nodes.map((item) => {
      if (!isScalar(item) || typeof item.value !== "string" || item.value === "") {
        const problem = `${what} is not a string, or a list of strings; write numbers in quotes`;
        throw new Problem(item ?? parent, problem);
      }
      return item.value;
    });
  }

  function ruleOf(node: Node | undefined): Rule {
    const rule = mapping(node, "a rule", ["claim", "value", "certificate", "grants"]);
    const match = matchOf(rule);
    return { match, grants: items(rule.get("grants", true), rule, "grants").map(grantOf) };
  }

  function matchOf(rule: YAMLMap): Match {
    const [claim, value, certificate] = ["claim", "value", "certificate"].map((name) =>
      resolved(rule.get(name, true)),
    );
    if (certificate !== undefined && claim === undefined && value === undefined) {
      const subjects = texts(certificate, rule, "certificate").map(withoutSpaces);
      return { kind: "certificate", subjects };
    }
    if (certificate !== undefined || claim === undefined || value === undefined) {
      throw new Problem(rule, "a rule has either claim and value, or certificate");
    }
    const path = texts(claim, rule, "claim");
    return {
      kind: "claim",
      claim: isSeq(claim) ? path : namesOf(path[0] ?? ""),
      values: texts(value, rule, "value"),
    };
  }

  function grantOf(node: unknown): Grant {
    const grant = mapping(node, "a grant", ["resource", "permissions"]);
    const [resource = "", ...more] = texts(grant.get("resource", true), grant, "resource");
    const at = resolved(grant.get("resource", true));
    const problem =
      more.length > 0 ? "resource is not a single string" : problemOfResource(resource);
    if (problem !== undefined) {
      throw new Problem(at, problem);
    }
    const permitted = items(grant.get("permissions", true), grant, "permissions");
    if (permitted.length === 0) {
      throw new Problem(grant, "permissions is an empty list");
    }
    return { resource, permissions: permitted.map(permissionOf) };
  }

  function permissionOf(node: unknown): Permission {
    const item = resolved(node);
    const value = isScalar(item) ? item.value : undefined;
    if (!isPermission(value)) {
      throw new Problem(item, `a permission is one of ${permissions.join(", ")}`);
    }
    return value;
  }
}

/** The values of the aliases of a document. The library searches the whole document for each of them. */
function targetsIn(document: Document): ReadonlyMap<Alias, Node> {
  const anchored = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Alias(_key, alias) {
      const target = anchored.get(alias.source);
      if (target !== undefined) {
        targets.set(alias, target);
      }
    },
    Value(_key, node) {
      if (node.anchor !== undefined) {
        anchored.set(node.anchor, node);
      }
    },
  });
  return targets;
}

/** How many values a node has, itself included; what its own aliases stand for is counted with them. */
function valuesIn(node: Node): number {
  if (isMap(node)) {
    return node.items.reduce((sum, { value }) => sum + valuesIn(value as Node), 1);
  }
  return isSeq(node)
    ? node.items.reduce<number>((sum, item) => sum + valuesIn(item as Node), 1)
    : 1;
}

/** The names in a path with dots; a url is one name, as Auth0 and others call their claims. */
function namesOf(path: string): string[] {
  return path.includes("://") ? [path] : path.split(".");
}

/** A subject without spaces after the commas between its parts, which several tools print. */
function withoutSpaces(subject: string): string {
  return subject.replaceAll(/(?<!\\), +/g, ",");
}
