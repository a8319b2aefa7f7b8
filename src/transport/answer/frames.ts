/* Messages of streams in their envelopes. */
import { type DescMessage, type Message, toJsonString } from "@bufbuild/protobuf";
import { type Compression, compressedFlag } from "@connectrpc/connect/protocol";
import type { Answer } from "../../methods/answer.ts";
import { jsonOptions } from "../../wire/options.ts";
import type { Format } from "../request/call-shape.ts";
import { envelop } from "../request/envelopes.ts";
import { compressMinBytes } from "./whole-answer.ts";

/** Makes the frames of messages: each in an envelope, compressed where its reader accepts that. */
export interface Framing {
  /** The frame of a message. Streams that are sent the same bytes share it. */
  frameOf(answer: Answer<Message>): Buffer | Promise<Buffer>;
}

/** Finds the framing for messages of a kind. Streams that are written the same way share it. */
export type Framings = (
  schema: DescMessage,
  format: Format,
  compression: Compression | undefined,
) => Framing;

/** Puts a message in an envelope, compressed if it is not too short for that. */
export function framed(
  message: Uint8Array,
  compression: Compression | undefined,
  flags = 0,
): Buffer | Promise<Buffer> {
  return compression === undefined || message.byteLength < compressMinBytes
    ? envelop(message, flags)
    : compression
        .compress(message)
        .then((compressed) => envelop(compressed, flags | compressedFlag));
}

/** Creates framings. */
export function createFramings(): Framings {
  const framings = new Map<string, Framing>();
  return (schema, format, compression) => {
    const key = `${schema.typeName} ${format} ${compression?.name ?? ""}`;
    let framing = framings.get(key);
    if (framing === undefined) {
      framing = createFraming(schema, format, compression);
      framings.set(key, framing);
    }
    return framing;
  };
}

function createFraming(
  schema: DescMessage,
  format: Format,
  compression: Compression | undefined,
): Framing {
  /** Frames by the bytes that are stored, whatever the format. */
  const frames = new WeakMap<Uint8Array, Buffer | Promise<Buffer>>();
  return {
    frameOf(answer) {
      const bytes = answer.bytes();
      let frame = frames.get(bytes);
      if (frame === undefined) {
        const content =
          format === "json"
            ? Buffer.from(toJsonString(schema, answer.message(), jsonOptions))
            : bytes;
        frame = framed(content, compression);
        frames.set(bytes, frame);
        if (frame instanceof Promise) {
          frame.then(
            (compressed) => frames.set(bytes, compressed),
            () => frames.delete(bytes),
          );
        }
      }
      return frame;
    },
  };
}
