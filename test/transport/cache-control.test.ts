/* What a cache on the way may keep of answers: nothing, since they are for the caller that asked. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { refused } from "../support/errors.ts";
import { startServer } from "../support/server.ts";
import { getPath, listPath } from "../support/target.ts";

test("answers to GET, and their errors, are not to be stored", async () => {
  await using server = await startServer();
  const answers: Response[] = [];
  const transport = createConnectTransport({
    baseUrl: server.url,
    useHttpGet: true,
    fetch: async (input, init) => {
      expect(init?.method).toBe("GET");
      const answer = await fetch(input, init);
      answers.push(answer);
      return answer;
    },
  });
  const client = createClient(WasmExtensions, transport);
  await client.listWasmExtension({ parent: "organizations/acme" });
  await refused(client.getWasmExtension({ fqn: "organizations/acme/extensions/none" }));
  await refused(client.getWasmExtension({ fqn: "none" }));
  for (const path of ["/healthz", "/readyz", "/none", getPath, `${listPath}?encoding=json`]) {
    answers.push(await fetch(`${server.url}${path}`));
  }
  const said = answers.map(({ status, headers }) => [status, headers.get("cache-control")]);
  expect(said).toEqual([200, 404, 400, 200, 200, 404, 415, 400].map((code) => [code, "no-store"]));
});
