import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { grpc } from "../support/dialects.ts";
import { listPath, useTarget } from "../support/target.ts";
import { field, message } from "../support/wire.ts";

const target = useTarget();
const base64 = (text: string): string => Buffer.from(text).toString("base64url");
const forged = (...fields: unknown[]): string => base64(JSON.stringify(fields));
const acme = "organizations/acme";
const witness = `${acme}/extensions/witness`;

test.each([
  ["garbage", "garbage"],
  ["an emoji", "\u{1F600}"],
  ["4 MB", "A".repeat(4_000_000)],
  ["a million lists", base64("[".repeat(1_000_000))],
  ["null", base64("null")],
  ["an object", base64("{}")],
  ["too few fields", forged(acme)],
  ["a number for a revision", forged(acme, 1, witness)],
  ["a negative revision", forged(acme, "-1", witness)],
  ["a revision that is too large", forged(acme, "9".repeat(1000), witness)],
  ["a revision to come", forged(acme, "9".repeat(19), witness)],
  ["an extension that is none", forged(acme, "1", "__proto__")],
  ["another parent", forged("organizations/other", "1", witness)],
])("a page token is refused that is %s", async (_, token) => {
  const body = grpc.wrap(message(field(1, acme), field(3, token)));
  const { code, fields, reason } = await target.refuses(grpc, { path: listPath, body });
  expect(Code[code]).toBe("InvalidArgument");
  expect(fields).toEqual(["page_token"]);
  expect(reason).toMatch(/^PAGE_TOKEN_/);
});
