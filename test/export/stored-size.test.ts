import { describe, expect, test } from "vitest";
import { goLength, storedSize } from "../../src/export/istio/stored-size.ts";

// The bytes in etcd are those that a Kubernetes 1.36 API server kept of such an object, applied by
// kubectl --server-side, without the metadata that it adds to every object.
const manifest = {
  apiVersion: "extensions.istio.io/v1alpha1",
  kind: "WasmPlugin",
  metadata: { name: "full", namespace: "shop", labels: { a: "b" } },
  spec: {
    url: "oci://ghcr.io/a/b:1",
    selector: { matchLabels: { app: "x" } },
    vmConfig: {
      env: [
        { name: "A", value: "1" },
        { name: "B", valueFrom: "HOST" },
      ],
    },
    match: [{ mode: "CLIENT", ports: [{ number: 80 }, { number: 443 }] }],
    pluginConfig: {
      'a<b"': 1,
      e: {},
      l: [{ x: 1 }],
      nested: { a: { b: "c" } },
      env: [{ name: "no variable" }],
      pluginConfig: { deep: true },
    },
  },
};

describe("the size of an object in Kubernetes", () => {
  test("counts each key twice, and the escapes that Go writes", () => {
    const size = storedSize(manifest);
    expect(size.manifest).toBe(489);
    expect(size.managedFields).toBeGreaterThanOrEqual(404);
    expect(size.managedFields).toBeLessThan(404 + 70);
  });

  test("counts bytes, not characters", () => {
    const one = storedSize({ text: "😀ü" });
    expect(one).toEqual({
      manifest: '{"text":""}'.length + 6,
      managedFields: '{"f:text":{}}'.length,
    });
    expect(storedSize({ text: "\u2028&>" }).manifest).toBe('{"text":""}'.length + 18);
  });

  test("a key is as long as Go writes it", () => {
    expect(goLength("key")).toBe(5);
    expect(goLength("<\u2028\n\u0001")).toBe(2 + 6 + 6 + 2 + 6);
  });
});
