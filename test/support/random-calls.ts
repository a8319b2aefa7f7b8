/* Random requests, good and bad, and what of their answers can be compared between two servers. */
import { brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import {
  type DescMessage,
  type DescMethod,
  type JsonObject,
  fromJson,
  toBinary,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { acme, ext, red, redIngress } from "./acme.ts";
import type { Received, Sent } from "./exchange.ts";

/** What requests may say, for fields by their names: good and bad. */
const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  parent: fc.constantFrom(acme, red, `${acme}/tenants/blue`, "organizations/ACME", ""),
  name: fc.constantFrom("a", "b", "c", "d", "Not-a-name", ""),
  fqn: fc.constantFrom(ext("a"), ext("b"), ext("none"), redIngress, "organizations", ""),
  target: fc.constantFrom(redIngress, ext("a"), ""),
  etag: fc.constantFrom("", '"AAAAAAAAAAA="', "weak"),
  url: fc.constantFrom("oci://example.com/a:1", "https://example.com/a.wasm", "ftp://a", ""),
  priority: fc.constantFrom(0, -5, 2 ** 31 - 1),
  config: fc.constantFrom({}, { key: "value".repeat(400) }, { key: [1, { deep: null }] }),
  allowedIn: fc.constantFrom([], [red], [""]),
  pageSize: fc.constantFrom(0, 1, 2, -1),
  pageToken: fc.constantFrom("", "none"),
  port: fc.constantFrom(0, 80, 70_000),
  startRevision: fc.constantFrom("0", "1", "2", "1000", "-1"),
  mode: fc.constantFrom("CLIENT", "SERVER", "UNDEFINED"),
  service: fc.constantFrom("", Health.typeName, "unknown"),
};

/** A request as JSON that its method can read, whether it accepts it or not. */
export function requestOf(schema: DescMessage, depth = 0): fc.Arbitrary<JsonObject> {
  const fields = schema.fields.flatMap((field): [string, fc.Arbitrary<unknown>][] => {
    const known = values[field.localName];
    if (known !== undefined && !(field.localName === "name" && field.message !== undefined)) {
      return [[field.jsonName, known]];
    }
    if (field.message === undefined || field.fieldKind === "map" || depth > 2) {
      return [];
    }
    const inner = requestOf(field.message, depth + 1);
    return field.message.typeName.startsWith("google.protobuf.")
      ? []
      : [[field.jsonName, field.fieldKind === "list" ? fc.array(inner, { maxLength: 2 }) : inner]];
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] }) as fc.Arbitrary<JsonObject>;
}

/** A message in its envelope. */
export const envelop = (message: Uint8Array, flags: number): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
};

/** How a request is spoilt on its way, or not. */
export const damage: fc.Arbitrary<(bytes: Buffer) => Uint8Array> = fc.oneof(
  { weight: 12, arbitrary: fc.constant((bytes: Buffer) => bytes) },
  fc.nat({ max: 64 }).map((length) => (bytes: Buffer) => bytes.subarray(0, length)),
  fc.uint8Array({ maxLength: 12 }).map((more) => (bytes: Buffer) => Buffer.concat([bytes, more])),
  fc.constant((bytes: Buffer) => Buffer.concat([bytes, bytes])),
  fc.uint8Array({ maxLength: 40 }).map((other) => () => other),
);

/** How a random request is written. */
export interface Form {
  readonly contentType: string;
  readonly isGzip: boolean;
  readonly accepts: string | undefined;
  readonly timeout: string | undefined;
  readonly origin: string | undefined;
}

/** Forms of requests. */
export function formOf(
  contentTypes: readonly string[],
  timeouts: readonly (string | undefined)[],
): fc.Arbitrary<Form> {
  return fc.record({
    contentType: fc.constantFrom(...contentTypes),
    isGzip: fc.boolean(),
    accepts: fc.constantFrom(undefined, "gzip", "br, gzip", "identity", "none"),
    timeout: fc.constantFrom(...timeouts),
    origin: fc.constantFrom(undefined, "http://localhost:3000", "https://example.com"),
  });
}

/** The headers about compression that a content type goes with. */
export function encodingHeadersOf(contentType: string): { encoding: string; accept: string } {
  const prefix = contentType.startsWith("application/grpc")
    ? "grpc-"
    : contentType.startsWith("application/connect+")
      ? "connect-"
      : "";
  const content = prefix === "grpc-" ? "" : "content-";
  return { encoding: `${prefix}${content}encoding`, accept: `${prefix}accept-encoding` };
}

/** A request as it is sent, spoilt or not. */
export function sentOf(
  method: DescMethod,
  json: JsonObject,
  { contentType, isGzip, accepts, timeout, origin }: Form,
  spoil: (bytes: Buffer) => Uint8Array = (bytes) => bytes,
): Sent {
  const message = contentType.includes("json")
    ? Buffer.from(JSON.stringify(json))
    : Buffer.from(toBinary(method.input, fromJson(method.input, json)));
  const isGrpc = contentType.includes("grpc");
  const isEnveloped = isGrpc || contentType.includes("connect+");
  const packed = isGzip ? gzipSync(message) : message;
  const { encoding, accept } = encodingHeadersOf(contentType);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    headers: {
      "content-type": contentType,
      ...(isGzip && { [encoding]: "gzip" }),
      ...(accepts !== undefined && { [accept]: accepts }),
      ...(timeout !== undefined && {
        [isGrpc ? "grpc-timeout" : "connect-timeout-ms"]: timeout,
      }),
      ...(origin !== undefined && { origin }),
    },
    body: spoil(isEnveloped ? envelop(packed, isGzip ? 1 : 0) : packed),
  };
}

/** What framing and time make of an answer, which is not compared. */
const unstable = ["date", "connection", "keep-alive", "transfer-encoding", "content-length"];

/** An answer without what differs between any two catalogs, and two calls. */
export function comparable({ status, headers, body }: Received): unknown {
  const kept = [...headers].filter(([name]) => !unstable.includes(name));
  const encoding = headers.get("content-encoding");
  const plain =
    encoding === "gzip"
      ? gunzipSync(body)
      : encoding === "br"
        ? brotliDecompressSync(body)
        : Buffer.concat(envelopes(body, headers));
  const text = plain.toString("latin1").replaceAll(/[A-Za-z0-9+/]{11}=/g, "(etag)");
  return { status, headers: kept, text };
}

/** The contents of envelopes, decompressed, each after its flags; the body itself if it has none. */
function envelopes(body: Buffer, headers: Headers): Buffer[] {
  const parts: Buffer[] = [];
  const contentType = headers.get("content-type") ?? "";
  if (!/^application\/(?:grpc|connect\+)/.test(contentType)) {
    return [body];
  }
  for (let rest = body; rest.byteLength > 0;) {
    const end = 5 + rest.readUInt32BE(1);
    const content = rest.subarray(5, end);
    const isCompressed = (rest.readUInt8() & 1) === 1;
    const isGzip = headers.get(encodingHeadersOf(contentType).encoding) === "gzip";
    const decompress = isGzip ? gunzipSync : brotliDecompressSync;
    parts.push(rest.subarray(0, 1), isCompressed ? decompress(content) : content);
    rest = rest.subarray(end);
  }
  return parts;
}
