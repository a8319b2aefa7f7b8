import type { JsonValue } from "@bufbuild/protobuf";
import { excerpt } from "../catalog/names/excerpt.ts";
import { isNameOf, type NameKind, nameForms } from "../catalog/names/forms.ts";
import type { DocumentPart } from "./document.ts";
import { isMapping } from "../wire/json.ts";
import { attachmentSetKind, type Kind } from "./kinds.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { diagnosticsOfKeys } from "./unknown-field.ts";

/** Finds what is wrong with the metadata of a document. */
export function diagnosticsOfMetadata(
  document: DocumentPart,
  kind: Kind,
  metadata: JsonValue | undefined,
): Diagnostic[] {
  if (!isMapping(metadata)) {
    const wanted = kind.mandatory.join(" and ");
    return [document.diagnosticAt(["metadata"], `is missing; write ${wanted} there`)];
  }
  const missing = kind.mandatory.filter((key) => !(key in metadata));
  return [
    ...diagnosticsOfKeys(document, ["metadata"], metadata, kind.metadata),
    ...missing.map((key) => document.diagnosticAt(["metadata", key], "is missing; set it")),
    ...Object.entries(metadata)
      .filter(([key]) => kind.metadata.includes(key))
      .flatMap(([key, value]) => {
        const text = problemOfValue(kind, key, value);
        return text === undefined ? [] : [document.diagnosticAt(["metadata", key], text)];
      }),
  ];
}

function problemOfValue(kind: Kind, key: string, value: JsonValue): string | undefined {
  if (typeof value !== "string") {
    return `${JSON.stringify(value)} is not a string; put quotes around it`;
  }
  if (!kind.mandatory.includes(key)) {
    return undefined;
  }
  const [nameKind, what]: [NameKind, string] =
    kind === attachmentSetKind
      ? ["target", "the fqn of a gateway or a security group"]
      : ["name", "a name"];
  return isNameOf(nameKind, value)
    ? undefined
    : `${excerpt(value)} is not ${what}; write ${nameForms[nameKind].wording}`;
}
