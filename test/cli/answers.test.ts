import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type DescMessage, create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import {
  GetAttachmentsResponseSchema,
  ListAttachmentsResponseSchema,
} from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { ResolveChainResponseSchema } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { ExportIstioResponseSchema } from "../../gen/wasmext/v1/export_service_pb.ts";
import { WatchResponseSchema } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { type Ran, runCli } from "../support/cli.ts";
import { seedAttachments, seedAuth, seedGateway, seedHttpFqn, seedOci } from "../support/seed.ts";

const workspace = "organizations/org/tenants/tenant1/workspaces/w";

describe("an answer that is not what was asked for", () => {
  let server: Server;
  let url: string;
  /** What every call is answered with, by the last part of its path; nothing where it has none. */
  let answers: Readonly<Record<string, Uint8Array>> = {};

  beforeAll(async () => {
    server = createServer((request, response) => {
      const contentType = request.headers["content-type"] ?? "";
      const message = answers[request.url?.split("/").at(-1) ?? ""] ?? new Uint8Array();
      response.writeHead(200, { "content-type": contentType });
      if (contentType.startsWith("application/connect")) {
        response.write(encodeEnvelope(0, message));
        response.end(encodeEnvelope(2, Buffer.from("{}")));
      } else {
        response.end(message);
      }
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  const run = (parameters: readonly string[], input = ""): Promise<Ran> =>
    runCli([...parameters, "--server", url], { input });

  test.each([
    [["apply", "-f", "-"], seedOci, `GetWasmExtension was answered without ${seedAuth}`],
    [
      ["apply", "-f", "-", "--dry-run"],
      seedOci,
      `GetWasmExtension was answered without ${seedAuth}`,
    ],
    [["apply", "-f", "-"], seedAttachments, `GetAttachments was answered without ${seedGateway}`],
    [["get", seedAuth], "", `GetWasmExtension was answered without ${seedAuth}`],
    [["get", seedGateway, "-o", "json"], "", `GetAttachments was answered without ${seedGateway}`],
    [["attach", seedAuth, seedGateway], "", `GetAttachments was answered without ${seedGateway}`],
    [["detach", seedAuth, seedGateway], "", `GetAttachments was answered without ${seedGateway}`],
    [["chain", seedGateway], "", "ResolveChain was answered without a chain"],
    [["list", "organizations/org"], "", "Watch was answered without an incarnation"],
    [["export", "yaml", "organizations/org"], "", "Watch was answered without an incarnation"],
    [["watch", "organizations/org"], "", "Watch was answered without an incarnation"],
  ])(
    "%j of an empty message fails with the call and the server",
    async (parameters, input, text) => {
      answers = {};
      const { exitCode, stdout, stderr } = await run(parameters, input);
      expect(exitCode).toBe(1);
      expect(stdout).not.toMatch(/created|configured|unchanged|deleted/);
      expect(stderr).toBe(
        `error: ${url} does not answer as a wasmext server does: ${text}; check --server\n`,
      );
    },
  );

  const cases: readonly [parameters: string[], call: string, answer: Uint8Array, text: string][] = [
    [
      ["get", seedAuth],
      "GetWasmExtension",
      bytes(WasmExtensionSchema, { fqn: seedHttpFqn, etag: '"a"' }),
      `with ${seedHttpFqn} instead of ${seedAuth}`,
    ],
    [
      ["get", seedAuth],
      "GetWasmExtension",
      bytes(WasmExtensionSchema, { fqn: seedAuth }),
      `with ${seedAuth} without an etag`,
    ],
    [
      ["get", seedGateway],
      "GetAttachments",
      bytes(GetAttachmentsResponseSchema, { attachmentSet: { fqn: `${seedGateway}2`, etag: "e" } }),
      `with ${seedGateway}2 instead of ${seedGateway}`,
    ],
    [
      ["list", workspace],
      "ListAttachments",
      bytes(ListAttachmentsResponseSchema, { attachmentSets: [{}] }),
      "with an object that has no fqn",
    ],
    [
      ["list", workspace],
      "ListAttachments",
      bytes(ListAttachmentsResponseSchema, { nextPageToken: "again" }),
      "with the page token that it was asked with",
    ],
    [
      ["list", `${workspace}2`],
      "ListAttachments",
      bytes(ListAttachmentsResponseSchema, { attachmentSets: [{ fqn: seedGateway, etag: "e" }] }),
      `with ${seedGateway}, which is not under ${workspace}2`,
    ],
    [
      ["chain", seedGateway],
      "ResolveChain",
      bytes(ResolveChainResponseSchema, { chain: { target: workspace } }),
      `with ${workspace} instead of ${seedGateway}`,
    ],
    [
      ["chain", seedGateway],
      "ResolveChain",
      bytes(ResolveChainResponseSchema, { chain: { target: seedGateway, links: [{}] } }),
      "with a link that names no extension",
    ],
    [
      ["export", "istio", seedGateway],
      "ExportIstio",
      bytes(ExportIstioResponseSchema, { wasmPlugins: [{}] }),
      "with a WasmPlugin that has no name or no url",
    ],
    [
      ["list", "organizations/org"],
      "Watch",
      bytes(WatchResponseSchema, { incarnation: "i" }),
      "with a message that has neither an event nor a bookmark",
    ],
    [
      ["list", "organizations/org"],
      "Watch",
      bytes(WatchResponseSchema, { incarnation: "i", events: [{}] }),
      "with an event that says nothing",
    ],
    [
      ["watch", "organizations/other"],
      "Watch",
      bytes(WatchResponseSchema, {
        incarnation: "i",
        events: [{ event: { case: "extensionDeleted", value: seedAuth } }],
      }),
      `with ${seedAuth}, which is not under organizations/other`,
    ],
  ];

  test.each(cases)(
    "%j fails when %s is answered with something else",
    async (parameters, call, answer, text) => {
      answers = { [call]: answer };
      expect(await run(parameters)).toEqual({
        exitCode: 1,
        stdout: "",
        stderr: `error: ${url} does not answer as a wasmext server does: ${call} was answered ${text}; check --server\n`,
      });
    },
  );

  test.each([
    [
      "UpdateWasmExtension",
      seedOci,
      { GetWasmExtension: bytes(WasmExtensionSchema, { fqn: seedAuth, etag: "e" }) },
      seedAuth,
    ],
    [
      "SetAttachments",
      seedAttachments,
      {
        GetAttachments: bytes(GetAttachmentsResponseSchema, {
          attachmentSet: { fqn: seedGateway, etag: "e" },
        }),
      },
      seedGateway,
    ],
  ])(
    "apply does not take an empty answer to %s for unchanged",
    async (call, input, answered, fqn) => {
      answers = answered;
      const { exitCode, stdout, stderr } = await run(["apply", "-f", "-"], input);
      expect(exitCode).toBe(1);
      expect(stdout).toBe("1 remaining\n");
      expect(stderr).toContain(`${call} was answered without ${fqn}; check --server`);
    },
  );
});

function bytes<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Uint8Array {
  return toBinary(schema, create(schema, init));
}
