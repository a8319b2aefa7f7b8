import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { field, joinSmall, sizeOf, textField } from "../../src/wire/pieces.ts";
import { deltaAnswer, worldAnswer } from "../../src/xds/protocols.ts";
import { resourceType } from "../../src/xds/resource.ts";

const bytes = fc.uint8Array({ maxLength: 40_000 });

test("fields in pieces are those of protobuf", () => {
  fc.assert(
    fc.property(fc.string(), bytes, fc.string(), (name, value, nonce) => {
      const resource = [...textField(1, resourceType), ...field(2, [value])];
      const answer = { name, version: "v", nonce, resource };
      const message = create(DeltaDiscoveryResponseSchema, {
        systemVersionInfo: "v",
        resources: [{ name, version: "v", resource: { typeUrl: resourceType, value } }],
        typeUrl: resourceType,
        nonce,
      });
      const delta = Uint8Array.from(Buffer.concat([...deltaAnswer(answer)]));
      expect(fromBinary(DeltaDiscoveryResponseSchema, delta)).toEqual(
        fromBinary(DeltaDiscoveryResponseSchema, toBinary(DeltaDiscoveryResponseSchema, message)),
      );
      const world = fromBinary(DiscoveryResponseSchema, Buffer.concat([...worldAnswer(answer)]));
      expect(world).toMatchObject({ versionInfo: "v", nonce, typeUrl: resourceType });
      expect(Buffer.from(world.resources[0]?.value ?? [])).toEqual(Buffer.from(value));
    }),
    { numRuns: 200 },
  );
});

test("small pieces are joined, and large ones are not copied", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 6_000, size: "max" })), (pieces) => {
      const joined = joinSmall(pieces);
      expect(Buffer.concat([...joined])).toEqual(Buffer.concat(pieces));
      expect(sizeOf(joined)).toBe(sizeOf(pieces));
      for (const large of pieces.filter(({ byteLength }) => byteLength > 4_096)) {
        expect(joined).toContain(large);
      }
    }),
  );
});
