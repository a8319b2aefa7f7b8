/*
 * Answers are made of stored bytes in binary, and of messages in JSON: every RPC has to say the same in
 * every protocol, as plain protobuf.
 */
import {
  create,
  type DescMessage,
  fromBinary,
  type JsonObject,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  WasmExtensionSchema,
  type WasmExtension,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  ListWasmExtensionRequestSchema as ListRequestSchema,
  ListWasmExtensionResponseSchema as ListResponseSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { Tenants } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { createClients } from "../../src/cli/clients.ts";
import { overHttp1 } from "../support/exchange.ts";
import { startServer } from "../support/server.ts";
import { read } from "../support/stream.ts";

const anyText = fc.string({ unit: "grapheme", maxLength: 20 });
const anyNumber = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
const { value: anyValue } = fc.letrec<{ value: JsonObject[string] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false, "", 0),
    anyText,
    // JSON has no -0.
    anyNumber.map((number) => number + 0),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(anyText, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const anyConfig = fc.dictionary(anyText, anyValue, { maxKeys: 3, noNullPrototype: true });
const anyMode = fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const);
const anyPorts = fc.array(
  fc.integer({ min: 1, max: 65_535 }).map((number) => ({ number })),
  { maxLength: 3 },
);

const anyExtension = fc.record(
  {
    url: fc.constantFrom("oci://x/y:1", "https://example.com/x.wasm", "file:///x.wasm"),
    displayName: anyText,
    description: fc.oneof(anyText, fc.constant("x".repeat(300))),
    phase: anyMode,
    priority: fc.integer({ min: -2147483648, max: 2147483647 }),
    imagePullPolicy: fc.constantFrom(0 as const, 1 as const, 2 as const),
    imagePullSecret: fc.constantFrom("", "secret"),
    match: fc.record({ mode: anyMode }),
    config: anyConfig,
    vmConfig: fc.record({
      env: fc.array(fc.constant({ name: "A", value: "x" }), { maxLength: 1 }),
    }),
  },
  { requiredKeys: ["url"] },
);

const anyAttachment = fc.record(
  {
    index: fc.nat(3),
    config: anyConfig,
    match: fc.array(
      fc.record({ mode: fc.constantFrom(0 as const, 1 as const, 3 as const), ports: anyPorts }),
      { maxLength: 2 },
    ),
  },
  { requiredKeys: ["index"] },
);

function clientsOf(transport: Transport) {
  return { ...createClients(transport), tenants: createClient(Tenants, transport) };
}

/** Reads bytes that hold each field once at most, and none that the type does not have. */
function plain<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  const message = fromBinary(schema, bytes, { readUnknownFields: true });
  expect(toBinary(schema, message, { writeUnknownFields: false }).byteLength).toBe(
    bytes.byteLength,
  );
  return message;
}

test("every RPC answers the same in every protocol and format, in plain protobuf", async () => {
  await using server = await startServer({ bookmarkIntervalMs: 60_000 });
  const baseUrl = server.url;
  const connect = { baseUrl, httpVersion: "1.1" } as const;
  const all = {
    json: clientsOf(createConnectTransport({ ...connect, useBinaryFormat: false })),
    jsonGet: clientsOf(
      createConnectTransport({ ...connect, useBinaryFormat: false, useHttpGet: true }),
    ),
    proto: clientsOf(createConnectTransport({ ...connect, useBinaryFormat: true })),
    protoGet: clientsOf(
      createConnectTransport({ ...connect, useBinaryFormat: true, useHttpGet: true }),
    ),
    grpc: clientsOf(createGrpcTransport({ baseUrl })),
    grpcJson: clientsOf(createGrpcTransport({ baseUrl, useBinaryFormat: false })),
    grpcWeb: clientsOf(createGrpcWebTransport({ ...connect, useBinaryFormat: true })),
    grpcWebJson: clientsOf(createGrpcWebTransport({ ...connect, useBinaryFormat: false })),
  };
  type Each = (typeof all)["json"];
  const everywhere = async <T>(call: (clients: Each) => Promise<T>): Promise<T> => {
    const expected = await call(all.json);
    for (const clients of Object.values(all)) {
      expect(await call(clients)).toEqual(expected);
    }
    return expected;
  };
  const kinds = Object.values(all);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyExtension, { minLength: 4, maxLength: 4 }),
      fc.array(anyAttachment, { maxLength: 4 }),
      fc.nat(kinds.length - 1),
      async (extensions, attachments, kind) => {
        const parent = `organizations/o${runs++}`;
        const tenant = `${parent}/tenants/t`;
        const target = `${tenant}/workspaces/w/securitygroups/s`;
        const fqn = (index: number): string => `${parent}/extensions/e${index}`;
        const writer = kinds[kind] ?? all.json;
        const watching = kinds.map((clients) => ({
          watch: read((options) => clients.watches.watch({ parent, startRevision: 1n }, options)),
          chain: read((options) => clients.chains.watchChain({ target }, options)),
        }));
        const nextOf = async (which: "watch" | "chain") => {
          const [first, ...rest] = await Promise.all(watching.map((each) => each[which].next()));
          for (const each of rest) {
            expect(each).toEqual(first);
          }
          return first;
        };
        await nextOf("chain");
        const stored: WasmExtension[] = [];
        for (const [index, wasmExtension] of extensions.entries()) {
          const name = `e${index}`;
          const created = await writer.extensions.createWasmExtension({
            parent,
            name,
            wasmExtension,
          });
          expect(created).toEqual(
            create(WasmExtensionSchema, { ...wasmExtension, fqn: fqn(index), etag: created.etag }),
          );
          stored.push(created);
          const seen = await nextOf("watch");
          expect(seen).toMatchObject({ events: [{ event: { value: created } }] });
        }

        const updated = await writer.extensions.updateWasmExtension(
          Object.assign(create(WasmExtensionSchema), stored[0], { priority: 77 }),
        );
        await nextOf("watch");
        const attachmentSet = {
          fqn: target,
          extension: attachments.map(({ index, ...rest }) => ({ ...rest, fqn: fqn(index) })),
        };
        const set = await writer.attachments.setAttachments({ attachmentSet });
        expect(await nextOf("watch")).toMatchObject({
          events: [{ event: { value: set.attachmentSet } }],
        });
        if (attachments.length > 0) {
          await nextOf("chain");
        }
        const own = await everywhere((each) => each.extensions.getWasmExtension({ fqn: fqn(0) }));
        expect(own).toEqual(updated);
        const list = await everywhere((each) => each.extensions.listWasmExtension({ parent }));
        expect(list.extensions).toHaveLength(4);
        const page = await everywhere((each) =>
          each.extensions.listWasmExtension({ parent, pageSize: 3 }),
        );
        expect(page).toMatchObject({ extensions: list.extensions.slice(0, 3) });
        expect(page.nextPageToken).not.toBe("");
        expect(
          (await everywhere((each) => each.tenants.listWasmExtensions({ parent: tenant })))
            .extensions,
        ).toEqual(list.extensions);
        const gotten = await everywhere((each) => each.attachments.getAttachments({ fqn: target }));
        expect(gotten.attachmentSet).toEqual(set.attachmentSet);
        const sets = await everywhere((each) => each.attachments.listAttachments({ parent }));
        expect(sets.attachmentSets).toEqual([set.attachmentSet]);
        const { chain } = await everywhere((each) => each.chains.resolveChain({ target }));
        expect(chain?.links).toHaveLength(attachments.length);
        const path = "/tetrateio.api.tsb.extension.v2.WasmExtensions";
        const raw = await overHttp1(server.port, {
          path: `${path}/ListWasmExtension`,
          headers: { "content-type": "application/proto" },
          body: toBinary(ListRequestSchema, create(ListRequestSchema, { parent, pageSize: 3 })),
        });
        expect(plain(ListResponseSchema, raw.body)).toEqual(page);
        // A GET says in its query how it is answered, whatever its headers say.
        const message = encodeURIComponent(JSON.stringify({ fqn: fqn(1) }));
        const { body } = await overHttp1(server.port, {
          path: `${path}/GetWasmExtension?connect=v1&encoding=json&message=${message}`,
          method: "GET",
          headers: { "content-type": "application/proto" },
        });
        expect(JSON.parse(body.toString())).toMatchObject({ fqn: fqn(1) });
        for (const each of watching) {
          each.watch.cancel();
          each.chain.cancel();
        }
      },
    ),
    { numRuns: 15 },
  );
});
