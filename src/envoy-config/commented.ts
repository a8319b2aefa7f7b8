/* YAML with comments above the keys of a mapping. */
import type { JsonValue } from "@bufbuild/protobuf";
import { emit } from "../yaml/emit.ts";

/** A key of a mapping with its value, and the lines of the comment above it. */
export interface Section {
  readonly key: string;
  readonly comment: readonly string[];
  /** JSON, or the sections of a mapping. */
  readonly value: JsonValue | { readonly sections: readonly Section[] };
}

/** Writes a mapping below a comment; a section whose value is an empty list is left out. */
export function writeSections(head: readonly string[], sections: readonly Section[]): string {
  return `${commentOf(head)}\n${bodyOf(sections)}`;
}

function bodyOf(sections: readonly Section[]): string {
  return sections
    .filter(({ value }) => !(Array.isArray(value) && value.length === 0))
    .map(({ key, comment, value }) => `${commentOf(comment)}${entryOf(key, value)}`)
    .join("");
}

function entryOf(key: string, value: Section["value"]): string {
  return isNested(value)
    ? `${key}:\n${bodyOf(value.sections).replaceAll(/^(?=.)/gm, "  ")}`
    : emit({ [key]: value });
}

function isNested(value: Section["value"]): value is { readonly sections: readonly Section[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    "sections" in value &&
    Array.isArray(value.sections)
  );
}

function commentOf(lines: readonly string[]): string {
  return lines.map((line) => `${`# ${line}`.trimEnd()}\n`).join("");
}
