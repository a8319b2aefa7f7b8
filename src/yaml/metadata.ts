import type { JsonValue } from "@bufbuild/protobuf";
import { excerpt } from "../catalog/names/excerpt.ts";
import { segment } from "../catalog/names/fqn.ts";
import { isTarget } from "../catalog/names/target.ts";
import type { DocumentPart } from "./document.ts";
import { isMapping } from "../wire/json.ts";
import { attachmentSetKind, type Kind } from "./kinds.ts";
import type { Problem } from "./problem.ts";
import { problemsOfKeys } from "./unknown-field.ts";

/** Finds what is wrong with the metadata of a document. */
export function problemsOfMetadata(
  document: DocumentPart,
  kind: Kind,
  metadata: JsonValue | undefined,
): Problem[] {
  if (!isMapping(metadata)) {
    const wanted = kind.mandatory.join(" and ");
    return [document.problemAt(["metadata"], `is missing; write ${wanted} there`)];
  }
  const missing = kind.mandatory.filter((key) => !(key in metadata));
  return [
    ...problemsOfKeys(document, ["metadata"], metadata, kind.metadata),
    ...missing.map((key) => document.problemAt(["metadata", key], "is missing; set it")),
    ...Object.entries(metadata)
      .filter(([key]) => kind.metadata.includes(key))
      .flatMap(([key, value]) => {
        const text = problemOfValue(kind, key, value);
        return text === undefined ? [] : [document.problemAt(["metadata", key], text)];
      }),
  ];
}

const namePattern = new RegExp(`^${segment}$`);

function problemOfValue(kind: Kind, key: string, value: JsonValue): string | undefined {
  if (typeof value !== "string") {
    return `${JSON.stringify(value)} is no string; write one, in quotes if it looks like something else`;
  }
  if (!kind.mandatory.includes(key)) {
    return undefined;
  }
  if (kind === attachmentSetKind) {
    return isTarget(value)
      ? undefined
      : `${excerpt(value)} is not the fqn of a gateway or a security group; write organizations/{org}/tenants/{tenant}/workspaces/{ws}/ and then gatewaygroups/{group}/ingressgateways/{name}, gatewaygroups/{group}/egressgateways/{name} or securitygroups/{group}`;
  }
  return namePattern.test(value)
    ? undefined
    : `${excerpt(value)} is no name; write 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end`;
}
