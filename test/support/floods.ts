import { gzipSync } from "node:zlib";
import type { ConnectError } from "@connectrpc/connect";
import { connectProto } from "./dialects.ts";
import { createPath } from "./target.ts";
import { createRequest, extension, field, repeated, struct, value } from "./wire.ts";

const many = 400_000;

/** Extensions with far more in them than any use needs, each under 4 MiB, and much less in gzip. */
export const floods: Record<string, () => Uint8Array> = {
  "values without a kind": () =>
    extension(struct({ a: field(6, repeated(many / 4, field(1, value.kindless))) })),
  "variables without a name": () =>
    extension(undefined, field(13, repeated(5 * many, field(1, "")))),
  "tenants without a name": () => extension(undefined, repeated(5 * many, field(5, ""))),
  "empty lists in a configuration": () =>
    extension(struct({ a: field(6, repeated(many / 2, field(1, field(6, "")))) })),
};

/** Sends an extension to be created, compressed; returns the error that it is answered with. */
export function send(port: number, wasmExtension: Uint8Array): Promise<ConnectError | undefined> {
  return connectProto.send(port, {
    path: createPath,
    headers: { "content-encoding": "gzip" },
    body: gzipSync(createRequest(wasmExtension)),
  });
}
