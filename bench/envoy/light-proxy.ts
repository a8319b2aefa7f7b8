/*
 * A proxy that asks for one slot by delta ADS and accepts all that it gets, unread, so that many of them cost
 * little. It has a connection of its own, as proxies have.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { DeltaDiscoveryRequestSchema } from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { AggregatedDiscoveryService } from "../../gen/envoy/service/discovery/v3/ads_pb.ts";
import { resourceType } from "../../src/xds/resource.ts";

/** A connected proxy. */
export interface LightProxy {
  /** The number of answers so far. */
  readonly answers: number;
  /** The last answer, if it keeps them: a DeltaDiscoveryResponse. */
  readonly latest: Buffer;
  close(): void;
}

/** As Envoy sets them, in bytes. */
const window = 16 * 1024 * 1024;
const envelopeBytes = 5;

/** Opens a proxy that asks for a slot. `onAnswer` is called after each answer, which has been accepted then. */
export function openLightProxy(
  url: string,
  id: string,
  slot: string,
  onAnswer: () => void,
  keepsLatest = false,
): LightProxy {
  const session: ClientHttp2Session = connect(url, { settings: { initialWindowSize: window } });
  session.once("connect", () => {
    session.setLocalWindowSize(window);
  });
  session.on("error", () => undefined);
  const stream: ClientHttp2Stream = session.request(
    {
      ":method": "POST",
      ":path": `/${AggregatedDiscoveryService.typeName}/DeltaAggregatedResources`,
      "content-type": "application/grpc",
      te: "trailers",
    },
    { endStream: false },
  );
  stream.on("error", () => undefined);
  const send = (request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void => {
    const message = create(DeltaDiscoveryRequestSchema, {
      typeUrl: resourceType,
      ...request,
    });
    const bytes = toBinary(DeltaDiscoveryRequestSchema, message);
    const head = Buffer.alloc(envelopeBytes);
    head.writeUInt32BE(bytes.byteLength, 1);
    stream.write(Buffer.concat([head, bytes]));
  };
  const close = (): void => {
    session.destroy();
  };
  const proxy = { answers: 0, latest: Buffer.alloc(0), close };
  let head: Buffer = Buffer.alloc(0);
  let left = 0;
  /** The end of a message, which has the nonce; or all of it. */
  let tail: Buffer[] = [];
  const take = (chunk: Buffer): void => {
    while (chunk.byteLength > 0) {
      if (left === 0) {
        const missing = envelopeBytes - head.byteLength;
        head = Buffer.concat([head, chunk.subarray(0, missing)]);
        chunk = chunk.subarray(missing);
        if (head.byteLength < envelopeBytes) {
          return;
        }
        left = head.readUInt32BE(1);
        continue;
      }
      const part = chunk.subarray(0, left);
      chunk = chunk.subarray(left);
      left -= part.byteLength;
      // A chunk of a few bytes may cut the nonce.
      tail = keepsLatest ? [...tail, part] : [...tail.slice(-2), part];
      if (left === 0) {
        const end = Buffer.concat(tail);
        tail = [];
        head = Buffer.alloc(0);
        proxy.latest = keepsLatest ? end : proxy.latest;
        proxy.answers++;
        send({ responseNonce: nonceOf(end) });
        onAnswer();
      }
    }
  };
  stream.on("data", take);
  send({
    node: { id, cluster: "light" },
    resourceNamesSubscribe: [slot],
  });
  return proxy;
}

/** The nonce, which ends an answer: the tag of field 5, its length, and itself. */
function nonceOf(end: Buffer): string {
  for (let length = 1; length < 32; length++) {
    const at = end.byteLength - length;
    if (end[at - 1] === length && end[at - 2] === 0x2a) {
      return end.subarray(at).toString();
    }
  }
  throw new Error("an answer has no nonce");
}
