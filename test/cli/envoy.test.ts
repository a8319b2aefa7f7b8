/* What `envoy bootstrap` prints; that Envoy takes it is for test/envoy. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { redIngress, redSecurity } from "../support/acme.ts";
import { folderOf, runCli } from "../support/cli.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Runs the command; resolves with what it printed, and the value of that. */
async function bootstrap(...parameters: string[]) {
  const ran = await runCli(["envoy", "bootstrap", ...parameters]);
  expect(ran.exitCode).toBe(0);
  return { ...ran, value: parse(ran.stdout) as unknown };
}

/** All values of a key, wherever it is. */
function valuesOf(value: unknown, wanted: string): unknown[] {
  if (typeof value !== "object" || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, item]: [string, unknown]) => [
    ...(key === wanted ? [item] : []),
    ...valuesOf(item, wanted),
  ]);
}

/** The names of the filters of the only list of them. */
function filterNames(value: unknown): string[] {
  const [filters] = valuesOf(value, "http_filters") as { name: string }[][];
  return (filters ?? []).map(({ name }) => name);
}

describe("slots", () => {
  test("there is one for each phase, before the router", async () => {
    const { value } = await bootstrap(redIngress);
    expect(filterNames(value)).toEqual([
      `wasmext/authn/gateway/${redIngress}`,
      `wasmext/authz/gateway/${redIngress}`,
      `wasmext/stats/gateway/${redIngress}`,
      `wasmext/unspecified/gateway/${redIngress}`,
      "envoy.filters.http.router",
    ]);
  });

  test("--atomic makes one of them, and a listener may have a port", async () => {
    const { value } = await bootstrap(redSecurity, "--listener", "outbound:443", "--atomic");
    expect(filterNames(value)).toEqual([
      `wasmext/all/outbound:443/${redSecurity}`,
      "envoy.filters.http.router",
    ]);
  });

  test("they share the stream of the proxy, and with --no-ads each has its own", async () => {
    const shared = await bootstrap(redIngress);
    expect(valuesOf(shared.value, "ads")).toEqual([{}, {}, {}, {}]);
    expect(valuesOf(shared.value, "ads_config")).toMatchObject([{ api_type: "DELTA_GRPC" }]);
    const own = await bootstrap(redIngress, "--no-ads");
    expect(valuesOf(own.value, "api_config_source")).toHaveLength(4);
    expect(valuesOf(own.value, "ads_config")).toEqual([]);
  });

  test("they stay closed before the first answer", async () => {
    const { value } = await bootstrap(redIngress);
    expect(valuesOf(value, "initial_fetch_timeout")).toEqual(["0s", "0s", "0s", "0s"]);
    expect(valuesOf(value, "default_config")).toEqual([]);
  });
});

test("--filters prints slots, stream, cluster and secrets, and nothing of the proxy's own", async () => {
  const { value } = await bootstrap(redIngress, "--filters", "--token", "a");
  expect(value).toMatchObject({
    http_filters: [{}, {}, {}, {}],
    dynamic_resources: { ads_config: {} },
    static_resources: { clusters: [{ name: "wasmext" }], secrets: [{}] },
  });
  expect(Object.keys(value as object)).toHaveLength(3);
});

describe("addresses", () => {
  const addressesIn = (value: unknown): unknown[] =>
    valuesOf(value, "socket_address").map((entry) => {
      const { address, port_value: port } = entry as { address: string; port_value: number };
      return `${address} ${port}`;
    });

  test("are those of loopback unless set, and Envoy answers without an upstream", async () => {
    const { value } = await bootstrap(redIngress);
    expect(addressesIn(value)).toEqual(["127.0.0.1 9901", "127.0.0.1 10000", "localhost 8080"]);
    expect(valuesOf(value, "direct_response")).toHaveLength(1);
  });

  test("may be of IPv6, and of the default ports of urls", async () => {
    const { value } = await bootstrap(
      ...[redIngress, "--listen", "[::1]:0", "--admin", "localhost:0"],
      ...["--upstream", "up.example:80", "--server", "https://[2001:db8::1]"],
    );
    expect(addressesIn(value)).toEqual([
      "127.0.0.1 0",
      "::1 0",
      "up.example 80",
      "2001:db8::1 443",
    ]);
    expect(valuesOf(value, "authority")).toEqual(["[2001:db8::1]:443"]);
    expect(valuesOf(value, "san_type")).toEqual(["IP_ADDRESS"]);
    expect(valuesOf(value, "sni")).toEqual([]);
  });
});

describe("a token", () => {
  test("of the environment stays there", async () => {
    vi.stubEnv("WASMEXT_TOKEN", "s3cret");
    const { stdout, stderr, value } = await bootstrap(redIngress);
    expect(stdout + stderr).not.toContain("s3cret");
    expect(valuesOf(value, "generic_secret")).toEqual([
      { secret: { environment_variable: "WASMEXT_TOKEN" } },
    ]);
  });

  test("of the command line is printed, with a warning that does not have it", async () => {
    const { stderr, value } = await bootstrap(redIngress, "--token", "s3cret");
    expect(valuesOf(value, "generic_secret")).toEqual([{ secret: { inline_string: "s3cret" } }]);
    expect(stderr).toContain("warning: the output has the token");
    expect(stderr).not.toContain("s3cret");
  });

  test("that a header cannot hold is refused", async () => {
    const ran = await runCli(["envoy", "bootstrap", redIngress, "--token", "s3cret\nx: y"]);
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain("invalid characters");
    expect(ran.stderr).not.toContain("s3cret");
  });

  test("of a file is read by Envoy, under the whole path, whatever that is", async () => {
    const { value } = await bootstrap(redIngress, "--filters", "--token-file", 'a"\\b\t]]ü');
    const [script] = valuesOf(value, "inline_string") as string[];
    const path = resolve('a"\\b\t]]ü').replace('"\\b\t', "\\034\\092b\\009");
    expect(script).toContain(`io.open("${path}")`);
  });
});

describe("a client certificate", () => {
  const server = ["--server", "https://catalog.example:8443"];

  test("is read once without --sds", async () => {
    const files = ["--client-cert", "/c.pem", "--client-key", "/k.pem", "--ca", "/ca.pem"];
    const { value } = await bootstrap(redIngress, ...server, ...files);
    expect(valuesOf(value, "filename")).toEqual(["/c.pem", "/k.pem", "/ca.pem"]);
    expect(valuesOf(value, "sni")).toEqual(["catalog.example"]);
  });

  test("is named by a file of SDS, which the command writes", async () => {
    using folder = folderOf({});
    const sds = join(folder.path, "sds.json");
    const files = ["--client-cert", "/tls/c.pem", "--client-key", "/tls/k.pem", "--sds", sds];
    const { value, stderr } = await bootstrap(redIngress, ...server, ...files);
    expect(valuesOf(value, "path")).toEqual([sds]);
    expect(stderr).toContain(sds);
    const written = JSON.parse(readFileSync(sds, "utf8")) as unknown;
    expect(valuesOf(written, "filename")).toEqual(["/tls/c.pem", "/tls/k.pem"]);
    expect(valuesOf(written, "watched_directory")).toEqual([{ path: "/tls" }]);
    expect(valuesOf(written, "name")).toEqual(
      valuesOf(value, "tls_certificate_sds_secret_configs")
        .flat()
        .flatMap((secret) => (secret as { name: string }).name),
    );
  });

  test("is an error if that file cannot be written", async () => {
    const files = ["--client-cert", "c", "--client-key", "k", "--sds", "/proc/none/x"];
    const ran = await runCli(["envoy", "bootstrap", redIngress, ...server, ...files]);
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain("error: --sds cannot be written");
  });
});

test("names that YAML 1.1 reads as booleans or numbers stay text", async () => {
  for (const name of ["n", "yes", "1e3", "0x1", "null", "a: b", "# c", "'"]) {
    const { stdout } = await bootstrap(redIngress, "--node-id", name);
    for (const version of ["1.1", "1.2"] as const) {
      expect(parse(stdout, { version })).toMatchObject({ node: { id: name } });
    }
  }
});
