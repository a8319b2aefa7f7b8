/*
 * JSON values as YAML that every parser of YAML 1.1 and 1.2 reads as the same values: Go's, PyYAML,
 * Ruby's psych. Any string that a parser could read differently is in double quotes, as in JSON.
 */
import type { JsonValue } from "@bufbuild/protobuf";
import { isMapping } from "../wire/json.ts";
import { escaped, unsafe } from "./escape.ts";
import { isString } from "./scalar.ts";

/** Writes a value as a YAML document. */
export function emit(value: JsonValue): string {
  return isMapping(value) || Array.isArray(value)
    ? emitValue(value, "").replace(/^[ \n]/, "")
    : `${inLine(value)}\n`;
}

/** The indentation of a level. */
const step = "  ";

/** A value after a key or a hyphen, with the white space before it and its line end. */
function emitValue(value: JsonValue, indent: string): string {
  if (Array.isArray(value) && value.length > 0) {
    const items = value.map((item) => `${indent}-${emitItem(item, `${indent}${step}`)}`);
    return `\n${items.join("")}`;
  }
  if (isMapping(value) && Object.keys(value).length > 0) {
    const entries = Object.entries(value).map(
      ([key, item]) => `${indent}${emitKey(key, indent)}:${emitValue(item, `${indent}${step}`)}`,
    );
    return `\n${entries.join("")}`;
  }
  return typeof value === "string" && isFitForBlock(value)
    ? ` ${blockOf(value, indent)}`
    : ` ${inLine(value)}\n`;
}

/** An item of a list: its content begins on the line of its hyphen. */
function emitItem(item: JsonValue, indent: string): string {
  const text = emitValue(item, indent);
  return text.startsWith("\n") ? ` ${text.slice(1 + indent.length)}` : text;
}

/** The longest key that PyYAML and libyaml read, as it is written. */
const maxKeyLength = 1000;

function emitKey(key: string, indent: string): string {
  // Psych merges at this key unless it has a tag, even if it is in quotes.
  const text = key === "<<" ? '!!str "<<"' : inLine(key);
  // A long key begins with a question mark; its colon follows on the next line.
  return text.length > maxKeyLength ? `? ${text}\n${indent}` : text;
}

function inLine(value: JsonValue): string {
  switch (typeof value) {
    case "string":
      return isFitForPlain(value) ? value : quoted(value);
    case "number":
      return numberText(value);
    default:
      // null, true, false, and empty collections.
      return JSON.stringify(value);
  }
}

function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(unsafe, escaped);
}

/** A number; exponents need a point and a sign in YAML 1.1. */
function numberText(value: number): string {
  const text = Object.is(value, -0) ? "-0.0" : String(value);
  return text.replace(/^(-?\d+)e/, "$1.0e");
}

/** Words that psych reads as booleans or null, in any case. */
const words = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

/** Tells whether every parser reads the unquoted text as this string. */
function isFitForPlain(text: string): boolean {
  return (
    /^[\p{L}_/$(]/u.test(text) &&
    !/[\t\n\r]|: |:$| #| $/.test(text) &&
    text.search(unsafe) < 0 &&
    !words.test(text) &&
    isString(text)
  );
}

/** Tells whether every parser reads this string from a literal block. */
function isFitForBlock(text: string): boolean {
  return /^[^\s][^]*\n/.test(text) && !/\r|\n[ \t]+(?:\n|$)/.test(text) && text.search(unsafe) < 0;
}

function blockOf(text: string, indent: string): string {
  const [, lines = "", end = ""] = /^([^]*?)(\n*)$/.exec(text) ?? [];
  const chomping = end === "" ? "-" : end === "\n" ? "" : "+";
  const body = lines.replaceAll(/^(?=.)/gm, indent);
  return `|${chomping}\n${body}\n${end.slice(1)}`;
}
