import { Code, ConnectError } from "@connectrpc/connect";
import { ViolationsSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";

/** What an error says to programs. */
export interface Said {
  readonly code: Code;
  readonly reason: string;
  readonly message: string;
  readonly metadata: Record<string, string>;
  /** The fields of google.rpc.BadRequest. */
  readonly fields: string[];
}

/** Expects a call to be refused with the details that every error has, and returns them. */
export async function refused(call: Promise<unknown>): Promise<Said> {
  const error = await call.then(
    () => {
      throw new Error("expected the call to be refused, but it was answered");
    },
    (reason: unknown) => ConnectError.from(reason),
  );
  return said(error);
}

/** Reads the details that every error has. */
export function said(error: ConnectError): Said {
  const [info] = error.findDetails(ErrorInfoSchema);
  expect(info, `ErrorInfo in ${error.message}`).toBeDefined();
  expect(info?.domain).toBe("wasmext");
  expect(info?.reason).toMatch(/^[A-Z][A-Z0-9_]+$/);
  const fields = error.findDetails(BadRequestSchema).flatMap((bad) => bad.fieldViolations);
  const violations = error.findDetails(ViolationsSchema).flatMap((all) => all.violations);
  if (error.code === Code.InvalidArgument) {
    expect(fields.length).toBeGreaterThan(0);
    expect(violations).toHaveLength(fields.length);
  }
  return {
    code: error.code,
    reason: info?.reason ?? "",
    message: error.rawMessage,
    metadata: info?.metadata ?? {},
    fields: fields.map(({ field }) => field),
  };
}
