import { expect, test } from "vitest";
import { ready, settled, source, testModules } from "./support/following.ts";
import { answerBytes, serve, serveRegistry } from "./support/registry.ts";
import { wasm } from "./support/wasm.ts";

test("artifact", async () => {
  await using registry = await serveRegistry();
  await using modules = testModules();
  registry.artifact(wasm());
  expect(await settled(modules, source(`oci://${registry.host}/acme/auth:1.0`))).toEqual(ready(wasm()));
  console.log(registry.asked);
});
test("file", async () => {
  await using server = await serve(answerBytes(wasm()));
  await using modules = testModules();
  expect(await settled(modules, source(`http://${server.host}/x.wasm`))).toEqual(ready(wasm()));
  expect(Buffer.from(await modules.bytes(ready(wasm()).module.digest))).toEqual(wasm());
});
