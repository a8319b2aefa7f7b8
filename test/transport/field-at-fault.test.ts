/* The search for the field at fault in JSON costs many times what reading costs, so it is bounded. */
import type { JsonValue } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { WasmExtensionSchema } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { readMessage } from "../../src/transport/request/read-message.ts";
import { findUnreadable, formatPath } from "../../src/wire/unreadable.ts";

test("the search for the first field at fault ends there", () => {
  let looked = 0;
  const tenants: JsonValue[] = [1, "organizations/acme/tenants/t"];
  Object.defineProperty(tenants, 1, {
    enumerable: true,
    get: () => {
      looked++;
      return "organizations/acme/tenants/t";
    },
  });
  const [first] = findUnreadable(WasmExtensionSchema, { allowedIn: tenants });
  expect(formatPath(first?.path ?? [])).toBe("allowed_in[0]");
  expect(looked).toBe(0);
});

test.each([
  ["is named where there are few values", 1_000, ["allowed_in[1000]"]],
  ["is not searched for among many", 10_000, [""]],
])("the field at fault %s", (_what, count, fields) => {
  const json = { allowedIn: [...Array<string>(count).fill("x"), 1] };
  const error = errorOf(() =>
    readMessage(WasmExtensionSchema, "json", Buffer.from(JSON.stringify(json))),
  );
  const named = error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
  expect(named).toEqual(fields);
  expect(error.rawMessage).toContain("allowed_in");
});

function errorOf(work: () => unknown): ConnectError {
  try {
    work();
  } catch (error) {
    return ConnectError.from(error);
  }
  return expect.fail("it was read");
}
