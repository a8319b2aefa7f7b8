/*
 * The front ends answer the same: random calls, valid and not, are made to two servers that differ in
 * nothing but that. Catalogs differ in what is random in them, which is left out of the comparison.
 */
import { brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import {
  type DescMessage,
  type DescMethod,
  type JsonObject,
  fromJson,
  toBinary,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { services } from "../../src/methods/table.ts";
import { acme, ext, red, redIngress } from "../support/acme.ts";
import { overHttp1, overHttp2, type Received, type Sent } from "../support/exchange.ts";
import { type RunningServer, startServer } from "../support/server.ts";

let direct: RunningServer;
let connect: RunningServer;

beforeAll(async () => {
  direct = await startServer({ frontEnds: "all" });
  connect = await startServer({ frontEnds: "connect" });
});

afterAll(async () => {
  await direct.close();
  await connect.close();
});

const methods = services
  .flatMap((service) => service.methods)
  .filter(({ methodKind }) => methodKind === "unary");

const contentTypes = [
  ...["application/grpc", "application/grpc+proto", "application/grpc+json"],
  ...["application/grpc-web", "application/grpc-web+proto", "application/grpc-web+json"],
  ...["application/proto", "application/json", "application/json; charset=utf-8"],
];

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
  service: fc.constantFrom("", Health.typeName, "unknown"),
};

/** A request as JSON that its method can read, whether it accepts it or not. */
function requestOf(schema: DescMessage, depth = 0): fc.Arbitrary<JsonObject> {
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

const envelop = (message: Uint8Array, flags: number): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
};

/** How a request is spoilt on its way, or not. */
const damage: fc.Arbitrary<(bytes: Buffer) => Uint8Array> = fc.oneof(
  { weight: 12, arbitrary: fc.constant((bytes: Buffer) => bytes) },
  fc.nat({ max: 64 }).map((length) => (bytes: Buffer) => bytes.subarray(0, length)),
  fc.uint8Array({ maxLength: 12 }).map((more) => (bytes: Buffer) => Buffer.concat([bytes, more])),
  fc.constant((bytes: Buffer) => Buffer.concat([bytes, bytes])),
  fc.uint8Array({ maxLength: 40 }).map((other) => () => other),
);

interface Asked {
  readonly method: DescMethod;
  readonly sent: Sent;
  readonly http: 1 | 2;
}

const calls: fc.Arbitrary<Asked> = fc.constantFrom(...methods).chain((method) =>
  fc
    .record({
      json: requestOf(method.input),
      contentType: fc.constantFrom(...contentTypes),
      http: fc.constantFrom(1 as const, 2 as const),
      isGzip: fc.boolean(),
      accepts: fc.constantFrom(undefined, "gzip", "br, gzip", "identity", "none"),
      timeout: fc.constantFrom(undefined, undefined, "5S", "5000", "0n", "0", "soon", "99999999H"),
      origin: fc.constantFrom(undefined, "http://localhost:3000", "https://example.com"),
      damage,
    })
    .map(({ json, contentType, http, isGzip, accepts, timeout, origin, damage: spoil }) => {
      const message = contentType.includes("json")
        ? Buffer.from(JSON.stringify(json))
        : Buffer.from(toBinary(method.input, fromJson(method.input, json)));
      const isGrpc = contentType.includes("grpc");
      const packed = isGzip ? gzipSync(message) : message;
      const encoding = isGrpc ? "grpc-encoding" : "content-encoding";
      const accept = isGrpc ? "grpc-accept-encoding" : "accept-encoding";
      return {
        method,
        http,
        sent: {
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
          body: spoil(isGrpc ? envelop(packed, isGzip ? 1 : 0) : packed),
        },
      };
    }),
);

/** What framing and time make of an answer, which is not compared. */
const unstable = ["date", "connection", "keep-alive", "transfer-encoding", "content-length"];

/** An answer without what differs between any two catalogs, and two calls. */
function comparable({ status, headers, body }: Received): unknown {
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
  if (headers.get("content-type")?.startsWith("application/grpc") !== true) {
    return [body];
  }
  for (let rest = body; rest.byteLength > 0;) {
    const end = 5 + rest.readUInt32BE(1);
    const content = rest.subarray(5, end);
    const isCompressed = (rest.readUInt8() & 1) === 1;
    const isGzip = headers.get("grpc-encoding") === "gzip";
    const decompress = isGzip ? gunzipSync : brotliDecompressSync;
    parts.push(rest.subarray(0, 1), isCompressed ? decompress(content) : content);
    rest = rest.subarray(end);
  }
  return parts;
}

test("random calls get the same answers", async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(calls, async ({ method, sent, http }) => {
      const over = http === 1 ? overHttp1 : overHttp2;
      const [ours, theirs] = [await over(direct.port, sent), await over(connect.port, sent)];
      expect(comparable(ours)).toEqual(comparable(theirs));
      const { headers } = ours;
      seen.add(`${method.name} ${headers.get("grpc-status") ?? ours.status}`);
    }),
    { numRuns: 600 },
  );
  // Calls that are all refused alike would prove little.
  expect(seen.size).toBeGreaterThan(30);
});
