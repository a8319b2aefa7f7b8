import { anyone } from "../../../src/catalog/access/principal.ts";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  CreateWasmExtensionRequestSchema,
  DeleteWasmExtensionRequestSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { SetAttachmentsRequestSchema } from "../../../gen/wasmext/v1/attachment_service_pb.ts";
import { setAttachments } from "../../../src/catalog/writes/attachment-writes.ts";
import { createExtension, deleteExtension } from "../../../src/catalog/writes/extension-writes.ts";
import { composed, decideNow, type Plan } from "../../../src/catalog/writes/plan.ts";
import { emptyState, findExtension } from "../../../src/catalog/state/state.ts";
import { createMemoryCatalog } from "../../../src/journal/catalog.ts";
import { acme, ext, redSecurity } from "../../support/acme.ts";
import { storedExtensions, storedSets } from "../../support/stored.ts";

const creation = (name: string, parent = acme): Plan<unknown> =>
  createExtension(
    create(CreateWasmExtensionRequestSchema, { parent, name, wasmExtension: { url: "oci://x" } }),
  );
const deletion = (name: string): Plan<unknown> =>
  deleteExtension(create(DeleteWasmExtensionRequestSchema, { fqn: ext(name) }));
const attaching = (name: string): Plan<unknown> =>
  setAttachments(
    create(SetAttachmentsRequestSchema, {
      attachmentSet: { fqn: redSecurity, extension: [{ fqn: ext(name) }] },
    }),
    anyone,
  );

test("a plan can be tried on a state, and changes nothing", () => {
  const state = emptyState();
  const { changes } = decideNow(creation("a"), state);
  expect(changes).toMatchObject([{ kind: "put-extension", fqn: ext("a") }]);
  expect(findExtension(state, ext("a"))).toBeUndefined();
});

test("a plan names its organization and what it decides on", () => {
  const plan = attaching("a");
  expect(plan).toMatchObject({ organization: acme, reads: [redSecurity, ext("a")] });
});

test("several plans make one commit, each decided on what those before it leave", async () => {
  const { reader, journal } = createMemoryCatalog();
  await journal.write(composed([creation("a"), creation("b"), attaching("a")]));
  expect(reader.state.revision).toBe(1n);
  expect([...storedExtensions(reader).keys()]).toEqual([ext("a"), ext("b")]);
  expect([...storedSets(reader).keys()]).toEqual([redSecurity]);
});

test("several plans change each object once at most, extensions before attachments", async () => {
  const { reader, journal } = createMemoryCatalog();
  await journal.write(composed([creation("a"), attaching("a")]));
  const plan = composed([
    creation("gone-again"),
    deletion("gone-again"),
    deletion("a"),
    creation("a"),
    creation("b"),
  ]);
  const { changes, detached } = decideNow(plan, reader.state);
  expect(changes.map(({ kind, fqn }) => `${kind} ${fqn}`)).toEqual([
    `put-extension ${ext("a")}`,
    `put-extension ${ext("b")}`,
    `put-attachments ${redSecurity}`,
  ]);
  expect(detached).toMatchObject([{ target: redSecurity, position: 0 }]);
  await journal.write(plan);
  // What was attached to the one that was deleted does not come back with the new one.
  expect(storedSets(reader).get(redSecurity)?.extension).toEqual([]);
});

test("if one of several plans is refused, none is carried out", async () => {
  const { reader, journal } = createMemoryCatalog();
  await expect(journal.write(composed([creation("a"), creation("a")]))).rejects.toThrow("exists");
  expect(reader.state.revision).toBe(0n);
});

test("plans of several organizations cannot share a commit", () => {
  expect(() => composed([creation("a"), creation("a", "organizations/other")])).toThrow(TypeError);
});

test("a commit of several plans says what it took from the sets that were there, and nothing else", async () => {
  const { reader, journal } = createMemoryCatalog();
  await journal.write(composed([creation("a"), creation("b"), attaching("b")]));
  // What is attached and detached by the same commit was never there.
  const [read] = storedSets(reader).values();
  const attachBoth = setAttachments(
    create(SetAttachmentsRequestSchema, {
      attachmentSet: {
        fqn: redSecurity,
        etag: read?.etag ?? "",
        extension: [...(read?.extension ?? []), { fqn: ext("a") }],
      },
    }),
    anyone,
  );
  const { detached } = decideNow(
    composed([attachBoth, deletion("a"), deletion("b")]),
    reader.state,
  );
  expect(detached.map(({ position, attachment }) => [position, attachment.fqn])).toEqual([
    [0, ext("b")],
  ]);
});
