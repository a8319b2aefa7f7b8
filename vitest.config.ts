import { defineConfig } from "vitest/config";

// CommonJS packages are imported as Node itself imports them.
const deps = { interopDefault: false };

export default defineConfig({
  test: {
    // Much of the time goes into waiting for processes and sockets, so no core is left aside.
    maxWorkers: "100%",
    projects: [
      // `npm test`: needs nothing but Node.
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [
            "test/browser/**",
            "test/clients-generated/**",
            "test/conformance/**",
            "test/crash/**",
            "test/curl/**",
            "test/envoy/**",
            "test/etcd/**",
            "test/package/**",
          ],
          // No test changes what others share, so modules are loaded once a worker.
          isolate: false,
          deps,
          testTimeout: 20_000,
        },
      },
      // `npm run test:reference`: what crosses the wire, with Connect as the only front end.
      {
        test: {
          name: "reference",
          include: [
            "test/auth/{calls,isolation,matrix}.test.ts",
            "test/clients/**/*.test.ts",
            "test/transport/**/*.test.ts",
          ],
          env: { WASMEXT_TEST_FRONT_ENDS: "connect" },
          deps,
          testTimeout: 20_000,
        },
      },
      // `npm run test:browser`: needs Chromium.
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          deps,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      // `npm run test:curl`: needs curl.
      {
        test: { name: "curl", include: ["test/curl/**/*.test.ts"], deps, testTimeout: 60_000 },
      },
      // `npm run test:clients`: needs Go, Python and the package registries.
      {
        test: {
          name: "clients",
          include: ["test/clients-generated/**/*.test.ts"],
          deps,
          // With empty caches, gRPC and CEL for Go are compiled: three minutes of one core.
          testTimeout: 480_000,
          hookTimeout: 60_000,
        },
      },
      // `npm run test:conformance`: needs Go, and the Go module proxy when run for the first time.
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          globalSetup: "test/conformance/go-tools.ts",
          deps,
          // Some cases measure time, so they do not share the cores.
          fileParallelism: false,
          testTimeout: 30_000,
        },
      },
      // `npm run test:crash`: needs strace.
      {
        test: {
          name: "crash",
          include: ["test/crash/**/*.test.ts"],
          deps,
          // As many rounds as are asked for.
          testTimeout: 3_600_000,
        },
      },
      // `npm run test:envoy`: needs Python with pip and Go, and the package registries when run for the
      // first time.
      {
        test: {
          name: "envoy",
          include: ["test/envoy/**/*.test.ts"],
          globalSetup: "test/envoy/support/install.ts",
          deps,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // `npm run test:etcd`: needs Debian's etcd-server.
      {
        test: {
          name: "etcd",
          include: ["test/etcd/**/*.test.ts"],
          deps,
          // The servers and nodes of a file take both cores.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // `npm run test:package`: needs the package registry.
      {
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          deps,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
