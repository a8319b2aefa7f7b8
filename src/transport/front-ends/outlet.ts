import type { Message } from "@bufbuild/protobuf";
import type { Compression } from "@connectrpc/connect/protocol";
import type { Answer } from "../../methods/answer.ts";
import type { OpenStream } from "../../methods/open-stream.ts";
import type { CallReport } from "../../rpc/call-report.ts";
import type { Framing } from "../answer/frames.ts";
import { sliceBytes } from "../answer/write-answer.ts";
import type { Exchange } from "../exchange.ts";
import type { CallShape } from "../request/call-shape.ts";
import type { Sleeper } from "./alarms.ts";

/** A call that is answered with a stream. */
export interface StreamAnswer {
  readonly exchange: Exchange;
  readonly report: CallReport;
  readonly shape: CallShape;
  readonly compression: Compression | undefined;
  readonly framing: Framing;
  /** When its caller stops waiting; Infinity for never. */
  readonly deadlineAt: number;
}

/** How many bytes are gathered before they are written. Less than a frame of HTTP/2, so that they fit into one. */
const batchBytes = sliceBytes / 2;

/** A stream that is written. A class, since a server has thousands of them. */
export class Outlet implements Sleeper {
  readonly answer: StreamAnswer;
  readonly stream: OpenStream<Answer<Message>>;
  alarm: Sleeper["alarm"];
  /** A frame that was compressed while the stream waited for it. */
  ready: Buffer | undefined;
  /** Whether it is about to be served, or waits for its reader. It is read again then. */
  isAwake = false;
  hasEnded = false;

  constructor(answer: StreamAnswer, stream: OpenStream<Answer<Message>>) {
    this.answer = answer;
    this.stream = stream;
  }
}

/** What has been read of a stream. */
export interface Batch {
  readonly frames: readonly Buffer[];
  /** What comes after them: the next frame, when it is compressed; or the error that ends the stream. */
  readonly next: "more" | "caught-up" | Promise<Buffer> | { readonly raised: unknown };
}

/** Reads as much of a stream as is written in one go. */
export function readBatch(outlet: Outlet, isOver: () => boolean): Batch {
  const { stream, answer } = outlet;
  const frames: Buffer[] = [];
  let bytes = 0;
  try {
    if (outlet.ready !== undefined) {
      frames.push(outlet.ready);
      bytes += outlet.ready.byteLength;
      outlet.ready = undefined;
    }
    while (bytes < batchBytes) {
      const item = stream.read(isOver);
      if (typeof item === "string") {
        return { frames, next: item };
      }
      const frame = answer.framing.frameOf(item);
      if (frame instanceof Promise) {
        return { frames, next: frame };
      }
      frames.push(frame);
      bytes += frame.byteLength;
    }
    return { frames, next: "more" };
  } catch (raised) {
    return { frames, next: { raised } };
  }
}
