/*
 * Requests that are small on the wire and would cost a server far more than they cost their sender.
 * How long others wait meanwhile is measured in bench/flood.ts.
 */
import { describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { floods, send } from "../support/floods.ts";
import { said } from "../support/errors.ts";
import { useTarget } from "../support/target.ts";

const target = useTarget();

describe("is refused for what it holds, not only in the end:", () => {
  test.each(Object.entries(floods))("%s", async (_what, flood) => {
    const error = await send(target.port, flood());
    expect(Code[said(error ?? expect.fail("it was answered")).code]).toBe("InvalidArgument");
  });
});
