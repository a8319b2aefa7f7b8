/*
 * Reads and checks the message of a request before its call is handed over. A message that would cost too
 * much to read is refused before it is read.
 */
import type { DescMessage, JsonValue, Message } from "@bufbuild/protobuf";
import { fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { invalid } from "../../catalog/errors.ts";
import { messageOf } from "../../catalog/message-of.ts";
import { fieldViolation } from "../../catalog/rules/field-violation.ts";
import { connectErrorOf } from "../../rpc/errors.ts";
import { binaryOptions, jsonOptions } from "../../wire/options.ts";
import { findUnreadable, formatPath } from "../../wire/unreadable.ts";
import { findUnsetValue, TooManyRecords } from "./binary-extent.ts";
import type { Format } from "./call-shape.ts";
import { findJsonExcess } from "./json-extent.ts";
import { tooMany, unreadable } from "./read-errors.ts";

/**
 * How many values a request may hold, of whatever kind: somewhat more than the rules of the catalog allow,
 * so that these report the violation.
 */
export const maxValues = 25_000;

/** A value of a Struct takes up to four fields in binary: its entry, key, value, and kind. */
export const maxRecords = 5 * maxValues;

/** Deepest nesting of JSON: somewhat more than the rules allow. */
const maxJsonLevels = 100;

/** Deepest nesting in binary, where a level of a configuration takes up to three. */
const maxBinaryLevels = 300;

/** Larger JSON is not searched for the field at fault: the search costs many times the reading. */
const maxSearched = { bytes: 256 * 1024, values: 5_000 };

/**
 * Checks the bytes of a message for what would cost too much to read, and for what the parsed message does
 * not show.
 *
 * Raises a ConnectError that says what is wrong.
 */
export function checkBytes(schema: DescMessage, format: Format, bytes: Uint8Array): void {
  if (format === "json") {
    checkJson(bytes);
  } else {
    checkBinary(schema, bytes);
  }
}

/**
 * Reads a message whose bytes have been checked.
 *
 * Raises a ConnectError that says what is wrong with it, and in which field where that can be told.
 */
export function readMessage(schema: DescMessage, format: Format, bytes: Uint8Array): Message {
  return format === "json" ? readJson(schema, bytes) : readBinary(schema, bytes);
}

/** Writes a message as it was read. */
export function writeMessage(schema: DescMessage, format: Format, message: Message): Uint8Array {
  return format === "json"
    ? Buffer.from(toJsonString(schema, message, jsonOptions))
    : toBinary(schema, message);
}

const binaryRemedy = "send the binary encoding of the service's proto";

function checkBinary(schema: DescMessage, bytes: Uint8Array): void {
  const path = attempt(
    () => findUnsetValue(schema, bytes, { maxRecords, maxLevels: maxBinaryLevels }),
    (error) =>
      error instanceof TooManyRecords
        ? tooMany("fields", maxRecords)
        : unreadable(quoted(error), binaryRemedy),
  );
  if (path !== undefined) {
    const text = "holds an unset value; set one of its kinds, null_value for null";
    throw connectErrorOf(invalid([fieldViolation(path, "json_form", text)]));
  }
}

function readBinary(schema: DescMessage, bytes: Uint8Array): Message {
  return attempt(
    () => fromBinary(schema, bytes, binaryOptions),
    (error) => unreadable(quoted(error), binaryRemedy),
  );
}

function checkJson(bytes: Uint8Array): void {
  if (bytes.byteLength === 0) {
    throw unreadable("it is empty, which is not JSON", "send {} for a message without fields");
  }
  const excess = findJsonExcess(bytes, maxValues, maxJsonLevels);
  if (excess === "values") {
    throw tooMany("values", maxValues);
  }
  if (excess === "nesting") {
    throw unreadable(`it nests deeper than ${maxJsonLevels} levels`, "flatten it");
  }
}

function readJson(schema: DescMessage, bytes: Uint8Array): Message {
  const text = attempt(
    () => jsonOptions.textDecoder.decode(bytes),
    () => unreadable("it is not UTF-8", "encode it as UTF-8"),
  );
  return attempt(
    () => fromJsonString(schema, text, jsonOptions),
    (error) => {
      const isSearched =
        bytes.byteLength <= maxSearched.bytes &&
        findJsonExcess(bytes, maxSearched.values, maxJsonLevels) === undefined;
      return isSearched
        ? unreadableJson(schema, text, quoted(error))
        : unreadable(quoted(error), matchingRemedy);
    },
  );
}

const matchingRemedy = "compare it with the service's proto";

function unreadableJson(schema: DescMessage, text: string, problem: string) {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch {
    return unreadable(problem, "send valid JSON");
  }
  const [first] = findUnreadable(schema, json);
  return first === undefined
    ? unreadable(problem, matchingRemedy)
    : unreadable(
        first.problem.slice(0, maxQuoted),
        first.remedy ?? matchingRemedy,
        formatPath(first.path),
      );
}

/** Longest error text of a parser that is passed on, in characters: it may quote the whole request. */
const maxQuoted = 512;

function quoted(error: unknown): string {
  return messageOf(error).slice(0, maxQuoted).toWellFormed();
}

function attempt<Result>(work: () => Result, errorOf: (error: unknown) => Error): Result {
  try {
    return work();
  } catch (error) {
    throw errorOf(error);
  }
}
