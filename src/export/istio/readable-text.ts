/*
 * What Kubernetes cannot read in texts. An object is sent as JSON, and server-side apply reads that as
 * YAML, where some characters are not allowed, some break a line, and keys have a greatest length.
 */
import type { JsonValue } from "@bufbuild/protobuf";
import { excerpt } from "../../catalog/names/excerpt.ts";
import { goLength } from "./stored-size.ts";

/** Control characters and noncharacters are refused; U+0085 becomes a space. */
const unreadable = /[\u007f-\u009f\ufffe\uffff]/;
/** A line that breaks inside of a key ends the object. */
const unreadableInKey = /[\u007f-\u009f\u2028\u2029\ufffe\uffff]/;
/** Longest key, in characters of JSON with its quotes. */
const maxKey = 1024;

/**
 * Finds the texts in a JSON value that Kubernetes would refuse or change.
 *
 * @param at - where the value is, for the description
 */
export function* problemsOfTexts(value: JsonValue, at: string): Generator<string> {
  if (typeof value === "string") {
    const [character] = unreadable.exec(value) ?? [];
    if (character !== undefined) {
      yield `${at} holds ${codePoint(character)}, ${remedy}`;
    }
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      yield* problemsOfTexts(item, `${at}[${index}]`);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      yield* problemsOfKey(key, at);
      yield* problemsOfTexts(item, `${at}${step(key)}`);
    }
  }
}

const remedy =
  "which Kubernetes does not read in that place; leave it out, or encode the text, as base64 for instance";

function* problemsOfKey(key: string, at: string): Generator<string> {
  const [character] = unreadableInKey.exec(key) ?? [];
  if (character !== undefined) {
    yield `${at} has the key ${excerpt(key)} with ${codePoint(character)}, ${remedy}`;
  }
  const length = goLength(key);
  if (length > maxKey) {
    yield `${at} has the key ${excerpt(key)}, of ${length} characters in JSON, and Kubernetes reads ${maxKey}; shorten it`;
  }
}

function step(key: string): string {
  return /^\w{1,80}$/.test(key) ? `.${key}` : `[${excerpt(key)}]`;
}

function codePoint(character: string): string {
  return `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}
