/* Files of formats before the present one. */
import { toBinary } from "@bufbuild/protobuf";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { WasmExtensionSchema } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { AttachmentSetSchema } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import { openCatalog } from "../../../src/journal/catalog.ts";
import { applicationId, formatVersion } from "../../../src/journal/sqlite/schema.ts";
import { acme, createAcme, ext, redSecurity } from "../../support/acme.ts";
import { storedExtensions, storedSets } from "../../support/stored.ts";
import { createFileMedium } from "./medium.ts";

/** What wasmext wrote before it kept the latest commits, word for word. */
const format1 = `
  CREATE TABLE catalog (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    incarnation TEXT NOT NULL,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('extension', 'attachment-set')),
    fqn TEXT NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (kind, fqn)
  ) STRICT;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = 1;
  PRAGMA journal_mode = WAL;
`;
const incarnation = "11111111-2222-4333-8444-555555555555";

test("a file of format 1 goes on as it was, and keeps commits from then on", async () => {
  // Objects as a catalog makes them, with their etags.
  const { put, attach, reader } = createAcme();
  await put("a", { config: { key: "value" } });
  await put("b");
  await attach(redSecurity, [{ fqn: ext("a") }]);
  const [extensions, sets] = [storedExtensions(reader), storedSets(reader)];

  await using medium = createFileMedium();
  const old = new DatabaseSync(medium.path);
  old.exec(format1);
  old.prepare("INSERT INTO catalog VALUES (1, ?, 1760000000000, 41)").run(incarnation);
  const insert = old.prepare("INSERT INTO objects (kind, fqn, bytes) VALUES (?, ?, ?)");
  for (const [fqn, extension] of extensions) {
    insert.run("extension", fqn, toBinary(WasmExtensionSchema, extension));
  }
  for (const [fqn, set] of sets) {
    insert.run("attachment-set", fqn, toBinary(AttachmentSetSchema, set));
  }
  old.close();

  const first = await openCatalog(medium.createJournal());
  expect(first.reader.incarnation).toBe(incarnation);
  expect(first.reader.state.revision).toBe(41n);
  expect(storedExtensions(first.reader)).toEqual(extensions);
  expect(storedSets(first.reader)).toEqual(sets);
  // Nothing before is kept.
  expect(first.reader.history.oldest(acme)).toBe(42n);
  await createAcme({ catalog: first }).remove("b");
  await first.journal.close();

  const file = new DatabaseSync(medium.path, { readOnly: true });
  expect(file.prepare("PRAGMA user_version").get()).toEqual({ user_version: formatVersion });
  expect(file.prepare("SELECT created FROM catalog").get()).toEqual({ created: 1760000000000 });
  file.close();
  const second = await openCatalog(medium.createJournal());
  expect(second.reader.incarnation).toBe(incarnation);
  expect(second.reader.state.revision).toBe(42n);
  expect(second.reader.history.oldest(acme)).toBe(42n);
  expect(second.reader.history.first(acme, 42n)?.changes).toEqual([
    { kind: "delete-extension", fqn: ext("b") },
  ]);
  await second.journal.close();
});
