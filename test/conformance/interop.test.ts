/* grpc-go's interop client against the listener and port of the server. Needs Go. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, inject, test } from "vitest";
import { cert, key } from "../support/tls.testdata.ts";
import { readDescriptors } from "./descriptors.ts";
import { interopDescriptors } from "./go-tools.ts";
import { interopRoutes } from "./interop-service.ts";
import { type Served, serve } from "./serve.ts";

const run = promisify(execFile);

/**
 * All cases of the client but two kinds: those that need Google's credentials, and ORCA load reports,
 * which the server does not make.
 */
const cases = [
  "empty_unary",
  "large_unary",
  "client_streaming",
  "server_streaming",
  "ping_pong",
  "empty_stream",
  "timeout_on_sleeping_server",
  "cancel_after_begin",
  "cancel_after_first_response",
  "status_code_and_message",
  "special_status_message",
  "custom_metadata",
  "unimplemented_method",
  "unimplemented_service",
  "pick_first_unary",
  "rpc_soak",
  "channel_soak",
];

describe.each([
  { name: "without TLS", tls: undefined },
  { name: "with TLS", tls: { cert, key } },
])("the gRPC interop client $name", ({ tls }) => {
  let served: Served;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "wasmext-interop-"));
    writeFileSync(join(folder, "ca.pem"), cert);
    const registry = readDescriptors(join(inject("goTools"), interopDescriptors));
    const routes = interopRoutes(registry);
    served = await serve({ routes, maxMessageBytes: 4 * 1024 * 1024, tls });
  });
  afterAll(async () => {
    await served.close();
    rmSync(folder, { recursive: true });
  });

  test.each(cases)("%s", async (name) => {
    const flags = ["-server_host=127.0.0.1", `-server_port=${served.port}`, `-test_case=${name}`];
    if (tls !== undefined) {
      flags.push("-use_tls", "-use_test_ca", `-ca_file=${join(folder, "ca.pem")}`);
    }
    // The client says what is wrong, and ends with a code that is not 0.
    await run(join(inject("goTools"), "client"), flags, { timeout: 20_000 });
  });
});
