/* The tables of the documentation, row by row: what is accepted, and what is refused where. */
/* eslint-disable @typescript-eslint/no-deprecated -- the deprecated image is one of the rows */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
  EnvValueSource,
  WasmExtension_PluginPhase as Phase,
  WasmExtension_PullPolicy as PullPolicy,
  type WasmExtensionSchema,
} from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadMode } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { refused } from "../support/errors.ts";
import { createInMemory } from "../support/in-memory.ts";

type Init = MessageInitShape<typeof WasmExtensionSchema>;

const url = "oci://docker.io/example/my-wasm-extension:1.0";
const digest = `sha256:${"a".repeat(64)}`;
const env = (...variables: NonNullable<NonNullable<Init["vmConfig"]>["env"]>): Init => ({
  url,
  vmConfig: { env: variables },
});
const nested = (levels: number): Record<string, never> =>
  Array.from({ length: levels - 1 }).reduce<object>((inner) => ({ inner }), {}) as never;

/** Rows of a table: field, what stands there, an extension with it, the field path if refused. */
const rows: [table: string, field: string, what: string, extension: Init, refusedAt?: string][] = [
  ["EnvVar", "name", "a C identifier", env({ name: "_A9" })],
  ["EnvVar", "name", "empty", env({ name: "" }), "vm_config.env[0].name"],
  ["EnvVar", "name", "a digit first", env({ name: "1BAD-NAME" }), "vm_config.env[0].name"],
  ["EnvVar", "name", "a hyphen", env({ name: "A-B" }), "vm_config.env[0].name"],
  ["EnvVar", "name", "a line break", env({ name: "A\n" }), "vm_config.env[0].name"],
  ["EnvVar", "name", "two of one name", env({ name: "A" }, { name: "A" }), "vm_config.env[1].name"],
  ["EnvVar", "valueFrom", "INLINE", env({ name: "A", valueFrom: EnvValueSource.INLINE })],
  ["EnvVar", "valueFrom", "HOST", env({ name: "A", valueFrom: EnvValueSource.HOST })],
  [
    "EnvVar",
    "valueFrom",
    "7",
    env({ name: "A", valueFrom: 7 as never }),
    "vm_config.env[0].value_from",
  ],
  ["EnvVar", "value", "any text", env({ name: "A", value: "ü\0 " })],
  [
    "EnvVar",
    "value",
    "text with HOST",
    env({ name: "A", value: "x", valueFrom: EnvValueSource.HOST }),
  ],
  ["GlobalTrafficSelector", "mode", "unset", { url, match: {} }],
  ["GlobalTrafficSelector", "mode", "CLIENT", { url, match: { mode: WorkloadMode.CLIENT } }],
  ["GlobalTrafficSelector", "mode", "SERVER", { url, match: { mode: WorkloadMode.SERVER } }],
  [
    "GlobalTrafficSelector",
    "mode",
    "both",
    { url, match: { mode: WorkloadMode.CLIENT_AND_SERVER } },
  ],
  ["GlobalTrafficSelector", "mode", "9", { url, match: { mode: 9 as never } }, "match.mode"],
  ["VmConfig", "env", "empty", { url, vmConfig: {} }],
  ["WasmExtension", "allowedIn", "empty", { url }],
  ["WasmExtension", "allowedIn", "a tenant", { url, allowedIn: ["organizations/org/tenants/t"] }],
  [
    "WasmExtension",
    "allowedIn",
    "what is no tenant",
    { url, allowedIn: ["organizations/org", "?"] },
  ],
  ["WasmExtension", "allowedIn", "an empty entry", { url, allowedIn: ["a", ""] }, "allowed_in[1]"],
  ["WasmExtension", "image", "alone", { image: "docker.io/x:1" }],
  ["WasmExtension", "image", "alone, no reference", { image: "docker.io/X:1" }, "url"],
  ["WasmExtension", "image", "any text beside a url", { url, image: "not looked at" }],
  ["WasmExtension", "source", "any text", { url, source: "https://github.com/example/x" }],
  ["WasmExtension", "phase", "each", { url, phase: Phase.STATS }],
  ["WasmExtension", "phase", "4", { url, phase: 4 as never }, "phase"],
  ["WasmExtension", "phase", "-1", { url, phase: -1 as never }, "phase"],
  ["WasmExtension", "priority", "the least", { url, priority: -2147483648 }],
  ["WasmExtension", "priority", "the greatest", { url, priority: 2147483647 }],
  ["WasmExtension", "config", "empty", { url, config: {} }],
  [
    "WasmExtension",
    "config",
    "every kind",
    { url, config: { a: [1.5, "x", true, null, { b: [] }] } },
  ],
  [
    "WasmExtension",
    "config",
    "__proto__",
    { url, config: JSON.parse('{"__proto__":{"a":1}}') as never },
  ],
  ["WasmExtension", "config", "NaN", { url, config: { a: [NaN] } }, "config"],
  ["WasmExtension", "config", "an infinity", { url, config: { a: { b: -Infinity } } }, "config"],
  ["WasmExtension", "config", "many values", { url, config: { a: Array(19_000).fill(0) } }],
  [
    "WasmExtension",
    "config",
    "far too many values",
    { url, config: { a: Array(100_000).fill([]) } },
    "config",
  ],
  ["WasmExtension", "config", "64 levels", { url, config: nested(64) }],
  ["WasmExtension", "config", "65 levels", { url, config: nested(65) }, "config"],
  [
    "WasmExtension",
    "imagePullPolicy",
    "IfNotPresent",
    { url, imagePullPolicy: PullPolicy.IfNotPresent },
  ],
  ["WasmExtension", "imagePullPolicy", "Always", { url, imagePullPolicy: PullPolicy.Always }],
  [
    "WasmExtension",
    "imagePullPolicy",
    "3",
    { url, imagePullPolicy: 3 as never },
    "image_pull_policy",
  ],
  [
    "WasmExtension",
    "imagePullSecret",
    "any text",
    { url, imagePullSecret: "registry-credentials" },
  ],
  ["WasmExtension", "url", "oci with tag", { url }],
  ["WasmExtension", "url", "oci with digest", { url: `oci://ghcr.io/a/b@${digest}` }],
  ["WasmExtension", "url", "oci without host", { url: "oci://my-extension" }],
  ["WasmExtension", "url", "oci, no reference", { url: "oci://Not A Reference" }, "url"],
  ["WasmExtension", "url", "oci, nothing", { url: "oci://" }, "url"],
  ["WasmExtension", "url", "oci, half a digest", { url: "oci://ghcr.io/a@sha256:abc" }, "url"],
  ["WasmExtension", "url", "http", { url: "http://tetrate.io/my-extension.wasm" }],
  [
    "WasmExtension",
    "url",
    "https with a port",
    { url: "https://tetrate.io:8443/my-extension.wasm" },
  ],
  ["WasmExtension", "url", "http without host", { url: "http:///my-extension.wasm" }, "url"],
  ["WasmExtension", "url", "https with a port alone", { url: "https://:443/x" }, "url"],
  ["WasmExtension", "url", "http, nothing", { url: "http://" }, "url"],
  ["WasmExtension", "url", "http with a line break", { url: "http://a\nb/x.wasm" }, "url"],
  ["WasmExtension", "url", "file", { url: "file:///opt/filters/auth.wasm" }],
  ["WasmExtension", "url", "file without a path", { url: "file://" }, "url"],
  ["WasmExtension", "url", "file with a host alone", { url: "file://auth.wasm" }, "url"],
  ["WasmExtension", "url", "no scheme", { url: "docker.io/x:1" }],
  ["WasmExtension", "url", "another scheme", { url: "ftp://tetrate.io/x.wasm" }, "url"],
  ["WasmExtension", "url", "a scheme in capitals", { url: "HTTP://tetrate.io/x.wasm" }, "url"],
  ["WasmExtension", "url", "empty, and no image", {}, "url"],
  ["WasmExtension", "match", "unset", { url }],
];

describe.each(["EnvVar", "GlobalTrafficSelector", "VmConfig", "WasmExtension"])("%s", (table) => {
  const accepted = rows.filter((row) => row[0] === table && row[4] === undefined);
  const refusals = rows.filter((row) => row[0] === table && row[4] !== undefined);

  test.each(accepted)("%s.%s accepts %s", async (_table, _field, _what, wasmExtension) => {
    const { extensions } = createInMemory();
    const created = await extensions.createWasmExtension({
      parent: "organizations/org",
      name: "ext",
      wasmExtension,
    });
    expect(await extensions.getWasmExtension({ fqn: created.fqn })).toEqual(created);
  });

  if (refusals.length > 0) {
    test.each(refusals)("%s.%s refuses %s", async (_table, _field, _what, wasmExtension, path) => {
      const { extensions, reader } = createInMemory();
      const { code, fields, message } = await refused(
        extensions.createWasmExtension({ parent: "organizations/org", name: "ext", wasmExtension }),
      );
      expect(code).toBe(Code.InvalidArgument);
      expect(fields).toEqual([`wasm_extension.${path ?? ""}`]);
      expect(message).toContain(`wasm_extension.${path ?? ""}`);
      expect(reader.state.revision).toBe(0n);
    });
  }
});
