import { readFileSync, renameSync } from "node:fs";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { AttachmentService } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { type AuditLogOptions, openAuditLog } from "../../src/audit-log/audit-log.ts";
import { anyone, type Grant } from "../../src/catalog/access/principal.ts";
import { type Folder, folderOf } from "../support/cli.ts";
import { type RunningServer, startServer } from "../support/server.ts";

const acme = "organizations/acme";
const red = `${acme}/tenants/red`;
const target = `${red}/workspaces/w/securitygroups/s`;
const grants: readonly Grant[] = [
  { resource: acme, permissions: ["READ", "CREATE", "WRITE"] },
  { resource: red, permissions: ["DELETE"] },
];

interface Audited extends AsyncDisposable {
  readonly server: RunningServer;
  readonly folder: Folder;
  readonly path: string;
  /** What the log of the server says of the audit log. */
  readonly said: Record<string, unknown>[];
  readonly lines: () => Record<string, unknown>[];
}

/** A server whose callers are alice, with an audit log. */
async function startAudited(options: Partial<AuditLogOptions> = {}): Promise<Audited> {
  const folder = folderOf({});
  const { path = `${folder.path}/audit.log` } = options;
  const said: Record<string, unknown>[] = [];
  const say = (line: object, message?: string): void => void said.push({ ...line, message });
  const logger = { error: say, info: say } as AuditLogOptions["logger"];
  const audit = await openAuditLog({ isSync: true, ...options, path, logger });
  const principal = { ...anyone, name: "alice", grants };
  const server = await startServer({ audit, authenticate: () => principal });
  return {
    server,
    folder,
    path,
    said,
    lines: () =>
      readFileSync(path, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    async [Symbol.asyncDispose]() {
      await server.close();
      await audit.close();
      folder[Symbol.dispose]();
    },
  };
}

function clientsOf({ url }: RunningServer) {
  const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
  return {
    extensions: createClient(WasmExtensions, transport),
    attachments: createClient(AttachmentService, transport),
  };
}

const creation = (name: string) => ({
  parent: acme,
  name,
  wasmExtension: { url: "oci://example.com/x:1" },
});
const ext = (name: string): string => `${acme}/extensions/${name}`;

describe("the audit log", () => {
  test("has a line for each write, and none for reads", async () => {
    await using audited = await startAudited({ now: () => Date.UTC(2026, 0, 2) });
    const { extensions, attachments } = clientsOf(audited.server);
    const headers = { "x-request-id": "call-7" };
    const created = await extensions.createWasmExtension(creation("a"), { headers });
    await extensions.getWasmExtension({ fqn: ext("a") });
    await attachments.setAttachments({ attachmentSet: { fqn: target } });
    await extensions.updateWasmExtension(created);
    await attachments.deleteAttachments({ fqn: target });
    const peer = expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/) as unknown;
    const common = { time: "2026-01-02T00:00:00.000Z", principal: "alice", code: "ok", peer };
    expect(audited.lines()).toEqual([
      {
        ...common,
        method: "CreateWasmExtension",
        fqn: ext("a"),
        revision: "1",
        requestId: "call-7",
      },
      { ...common, method: "SetAttachments", fqn: target, revision: "2" },
      // It changes nothing, and so makes no commit.
      { ...common, method: "UpdateWasmExtension", fqn: ext("a") },
      { ...common, method: "DeleteAttachments", fqn: target, revision: "3" },
    ]);
  });

  test("has a line for each write that is refused, with the code and the reason", async () => {
    await using audited = await startAudited();
    const { extensions } = clientsOf(audited.server);
    await extensions.createWasmExtension(creation("a"));
    const refused = [
      extensions.createWasmExtension(creation("a")),
      extensions.createWasmExtension({ ...creation("b"), wasmExtension: { url: "ftp://x" } }),
      extensions.createWasmExtension({ ...creation("c"), parent: "organizations/other" }),
      extensions.updateWasmExtension({ fqn: ext("a"), etag: '"AAAAAAAAAAA="', url: "oci://x" }),
      extensions.deleteWasmExtension({ fqn: ext("a") }),
      extensions.deleteWasmExtension({ fqn: "x".repeat(100_000) }),
    ];
    await Promise.allSettled(refused);
    const seen = audited.lines().slice(1);
    const rows = seen.map(({ method, fqn, code, reason, revision }) => [
      ...[method, String(fqn).slice(0, 33), code, reason, revision],
    ]);
    expect(rows.toSorted()).toEqual(
      [
        ["CreateWasmExtension", ext("a"), "already_exists", "ALREADY_EXISTS"],
        ["CreateWasmExtension", ext("b"), "invalid_argument", "INVALID_FIELDS"],
        ["CreateWasmExtension", "organizations/other/extensions/c", "not_found", "NOT_FOUND"],
        ["DeleteWasmExtension", ext("a"), "permission_denied", "PERMISSION_DENIED"],
        ["DeleteWasmExtension", "x".repeat(33), "invalid_argument", "INVALID_FIELDS"],
        ["UpdateWasmExtension", ext("a"), "aborted", "ETAG_MISMATCH"],
      ].map((row) => [...row, undefined]),
    );
    expect(Math.max(...seen.map((line) => JSON.stringify(line).length))).toBeLessThan(1_000);
  });

  test("keeps a name that a caller made up inside of its line", async () => {
    await using audited = await startAudited();
    const { extensions } = clientsOf(audited.server);
    const name = 'a\n{"principal":"mallory"}';
    await expect(extensions.createWasmExtension(creation(name))).rejects.toThrow();
    expect(audited.lines()).toMatchObject([{ principal: "alice", fqn: ext(name) }]);
  });

  test("that is flushed has the line of a write before the write is answered", async () => {
    await using audited = await startAudited();
    const { extensions } = clientsOf(audited.server);
    for (let index = 0; index < 20; index++) {
      await extensions.createWasmExtension(creation(`e${index}`));
      expect(audited.lines()).toHaveLength(index + 1);
    }
  });
});

describe("an audit log that cannot be written", () => {
  test("and is to be flushed: the write that finds out says what it has done, and no other is made", async () => {
    await using audited = await startAudited({ path: "/dev/full" });
    const { extensions } = clientsOf(audited.server);
    const first = extensions.createWasmExtension(creation("a"));
    await expect(first).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringContaining(`${ext("a")} has been written as revision 1`) as unknown,
    });
    const second = extensions.createWasmExtension(creation("b"));
    await expect(second).rejects.toMatchObject({ code: Code.Unavailable });
    expect(audited.server.reader.state.revision).toBe(1n);
    // Reads go on.
    await extensions.getWasmExtension({ fqn: ext("a") });
    expect(audited.said).toMatchObject([{ message: "the audit log cannot be written" }]);
  });

  test("and is to be flushed: writes go on with no line lost when it can be written again", async () => {
    await using audited = await startAudited();
    const { extensions } = clientsOf(audited.server);
    const { path } = audited.folder;
    await extensions.createWasmExtension(creation("a"));
    renameSync(path, `${path}.moved`);
    for (const name of ["b", "c"]) {
      const refused = extensions.createWasmExtension(creation(name));
      await expect(refused).rejects.toMatchObject({ code: Code.Unavailable });
    }
    renameSync(`${path}.moved`, path);
    await extensions.createWasmExtension(creation("d"));
    expect(audited.lines()).toMatchObject([
      { fqn: ext("a"), revision: "1" },
      { fqn: ext("b"), revision: "2" },
      { fqn: ext("d"), revision: "3" },
    ]);
    expect(audited.said.map(({ message }) => message)).toEqual([
      "the audit log cannot be written",
      "the audit log is written again",
    ]);
  });

  test("and is not to be flushed: writes are made, and the server's log says so once", async () => {
    await using audited = await startAudited({ path: "/dev/full", isSync: false });
    const { extensions } = clientsOf(audited.server);
    for (const name of ["a", "b", "c"]) {
      await extensions.createWasmExtension(creation(name));
    }
    await expect
      .poll(() => audited.said)
      .toMatchObject([{ message: "the audit log cannot be written" }]);
    expect(audited.server.reader.state.revision).toBe(3n);
  });

  test("keeps a server from starting", async () => {
    using folder = folderOf({});
    const path = `${folder.path}/no/such/folder/audit.log`;
    const logger = { error: () => undefined, info: () => undefined };
    await expect(openAuditLog({ path, isSync: false, logger })).rejects.toThrow("ENOENT");
  });
});
