import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Stored } from "../catalog/state/stored.ts";
import { encodeFields } from "../wire/delimited.ts";
import type { Pieces } from "../wire/pieces.ts";

/** A message to answer with, in the form that a front end asks for. */
export interface Answer<Response> {
  /** The message. */
  message(): Response;
  /** The message in binary. */
  bytes(): Uint8Array;
  /** The same as pieces that others may share, for a message that is not needed after it. Default: one piece. */
  pieces?(): Pieces;
}

/** Answers with a message that is made for it. */
export function messageAnswer<Desc extends DescMessage>(
  schema: Desc,
  init: MessageInitShape<Desc>,
): Answer<MessageShape<Desc>> {
  const message = create(schema, init);
  return { message: () => message, bytes: () => toBinary(schema, message) };
}

/** Answers with a message that is encoded in pieces, once. */
export function piecesAnswer<Desc extends DescMessage>(
  schema: Desc,
  encoded: Pieces,
): Answer<MessageShape<Desc>> {
  let held = encoded;
  // What is held of it would stay in memory as long as the stream waits for the next one.
  const pieces = (): Pieces => {
    const taken = held;
    held = [];
    return taken;
  };
  const bytes = (): Uint8Array => Buffer.concat([...pieces()]);
  return { pieces, bytes, message: () => fromBinary(schema, bytes()) };
}

/** Answers with an object, in binary as the bytes that are stored. */
export function storedAnswer<Shape>({ message, bytes }: Stored<Shape>): Answer<Shape> {
  return { message: () => message, bytes: () => bytes };
}

/** A kind of response that holds stored objects. */
export interface HoldingResponse<Desc extends DescMessage> {
  readonly schema: Desc;
  /** The field that holds them, whose number is up to 15. */
  readonly field: DescField;
  /** The other fields of the response. */
  readonly rest?: Partial<MessageShape<Desc>>;
}

/** Answers with objects in one field of a response, in binary as a run of the bytes that are stored. */
export function holdingAnswer<Desc extends DescMessage>(
  { schema, field, rest }: HoldingResponse<Desc>,
  objects: readonly Stored<Message>[],
): Answer<MessageShape<Desc>> {
  const withRest = (): MessageShape<Desc> => Object.assign(create(schema), rest);
  return {
    message: () => {
      const messages = objects.map(({ message }) => message);
      const value = field.fieldKind === "list" ? messages : messages[0];
      return Object.assign(withRest(), { [field.localName]: value });
    },
    bytes: () => {
      const fields = objects.map(({ bytes }) => ({ number: field.number, value: bytes }));
      return encodeFields(fields, toBinary(schema, withRest()));
    },
  };
}
