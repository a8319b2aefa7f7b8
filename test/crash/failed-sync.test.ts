/* A sync that fails: what was refused is not there, not even after a crash. */
import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill } from "node:process";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { reasonOf } from "../../src/cli/failure.ts";
import { startProcess } from "../support/process.ts";
import { acme } from "./load.ts";

test.each([15, 16, 23])("sync %d fails, and then the server is killed", async (sync) => {
  const folder = mkdtempSync(join(tmpdir(), "wasmext-sync-"));
  const store = ["serve", "--port", "0", "--store", `sqlite:${join(folder, "catalog.db")}`];
  const fault = `inject=fsync,fdatasync:error=EIO:when=${sync}`;
  const wrapper = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", fault];
  const failing = startProcess(store, {}, "", { wrapper });
  const clientOf = async (line: Promise<string>) => {
    const baseUrl = (await line).split(" ").at(-1) ?? "";
    return createClient(WasmExtensions, createGrpcTransport({ baseUrl }));
  };
  const client = await clientOf(failing.firstLine);
  const answered: string[] = [];
  const create = (name: string) =>
    client.createWasmExtension({ parent: acme, name, wasmExtension: { url: "oci://x" } });
  const refusal = await (async (): Promise<ConnectError> => {
    for (;;) {
      try {
        answered.push((await create(`e${answered.length}`)).fqn);
      } catch (error) {
        return ConnectError.from(error);
      }
    }
  })();
  expect(refusal.code).toBe(Code.Unavailable);
  expect(reasonOf(refusal)).toBe("COMMIT_NOT_STORED");
  const pid = failing.child.pid ?? 0;
  kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")), "SIGKILL");
  await failing.ended;

  const next = startProcess(store);
  const { extensions } = await (await clientOf(next.firstLine)).listWasmExtension({ parent: acme });
  expect(extensions.map(({ fqn }) => fqn).toSorted()).toEqual(answered.toSorted());
  next.child.kill();
  await next.ended;
  rmSync(folder, { recursive: true });
});
