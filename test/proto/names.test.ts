import type { DescEnum } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { Tenants } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { apiRegistry } from "../support/proto-files.ts";

describe("documented names and numbers", () => {
  test.each([
    ["extension.v2.EnvValueSource", { INLINE: 0, HOST: 1 }],
    [
      "extension.v2.WasmExtension.PluginPhase",
      { UNSPECIFIED_PHASE: 0, AUTHN: 1, AUTHZ: 2, STATS: 3 },
    ],
    [
      "extension.v2.WasmExtension.PullPolicy",
      { UNSPECIFIED_POLICY: 0, IfNotPresent: 1, Always: 2 },
    ],
    ["types.v2.WorkloadMode", { UNDEFINED: 0, CLIENT: 1, SERVER: 2, CLIENT_AND_SERVER: 3 }],
  ])("enum %s", (name, numbers) => {
    const type = apiRegistry.getEnum(`tetrateio.api.tsb.${name}`);
    expect(numbersOf(type)).toEqual(numbers);
  });

  test.each([
    ["extension.v2.EnvVar", ["name", "value", "valueFrom"]],
    ["extension.v2.VmConfig", ["env"]],
    ["extension.v2.GlobalTrafficSelector", ["mode"]],
    [
      "extension.v2.WasmExtension",
      [
        "fqn etag displayName description allowedIn image source phase priority config",
        "imagePullPolicy imagePullSecret vmConfig url match",
      ].flatMap((names) => names.split(" ")),
    ],
    ["types.v2.PortSelector", ["number"]],
    ["types.v2.TrafficSelector", ["mode", "ports"]],
    ["types.v2.WasmExtensionAttachment", ["fqn", "config", "match"]],
  ])("message %s has its fields under fixed numbers 1, 2, 3, …", (name, fields) => {
    const message = apiRegistry.getMessage(`tetrateio.api.tsb.${name}`);
    expect(message?.fields.map(({ jsonName }) => jsonName)).toEqual(fields);
    expect(message?.fields.map(({ number }) => number)).toEqual(
      fields.map((_, index) => index + 1),
    );
  });

  test("services have the documented methods, and reads may be called with GET", () => {
    const reads = [...WasmExtensions.methods, ...Tenants.methods]
      .filter(({ idempotency }) => idempotency === Idempotency.NO_SIDE_EFFECTS)
      .map(({ name }) => name);
    expect(WasmExtensions.methods.map(({ name }) => name)).toEqual([
      "CreateWasmExtension",
      "GetWasmExtension",
      "UpdateWasmExtension",
      "ListWasmExtension",
      "DeleteWasmExtension",
    ]);
    expect(Tenants.methods.map(({ name }) => name)).toEqual(["ListWasmExtensions"]);
    expect(reads).toEqual(["GetWasmExtension", "ListWasmExtension", "ListWasmExtensions"]);
  });
});

function numbersOf(type: DescEnum | undefined): Record<string, number> {
  return Object.fromEntries((type?.values ?? []).map(({ name, number }) => [name, number]));
}
