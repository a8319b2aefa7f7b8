/* Client certificates, and TLS files that change. */
import { once } from "node:events";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Code, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { WasmExtensions } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { WatchService } from "../../gen/wasmext/v1/watch_service_pb.ts";
import { permissions } from "../../src/catalog/access/principal.ts";
import { createCertificateAuthenticator } from "../../src/auth/certificate.ts";
import { createLiveRules, indexRules } from "../../src/auth/grant-rules.ts";
import { createJwtAuthenticator } from "../../src/auth/jwt.ts";
import { openKeySource } from "../../src/auth/key-source.ts";
import { subjectOf } from "../../src/transport/request/credentials.ts";
import { acme, red, url } from "../support/acme.ts";
import * as certificates from "../support/certificates.testdata.ts";
import { folderOf } from "../support/cli.ts";
import { refused } from "../support/errors.ts";
import { audience, issuer, keySetOf, makeKey, sign } from "../support/issuer.ts";
import { startProcess } from "../support/process.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { read, until } from "../support/stream.ts";
import { listPath } from "../support/target.ts";
import * as tls from "../support/tls.testdata.ts";

type Certified = certificates.Certified;
const subject = "CN=ci,O=Acme\\, Inc,C=US";

/** The versions of HTTP. */
const versions = [
  ["gRPC over HTTP/2", createGrpcTransport],
  [
    "Connect over HTTP/1.1",
    (options: ReturnType<typeof optionsOf>) =>
      createConnectTransport({ ...options, httpVersion: "1.1" }),
  ],
] as const;

function optionsOf(baseUrl: string, shown?: Certified, token?: string) {
  const show: Interceptor = (next) => (request) => {
    request.header.set("x-tetrate-token", token ?? "");
    return next(request);
  };
  return {
    baseUrl,
    nodeOptions: { rejectUnauthorized: false, ...shown },
    interceptors: token === undefined ? [] : [show],
  };
}

describe.each(versions)("with --auth jwt, over %s", (_name, transportOf) => {
  const key = makeKey("one");
  let server: RunningServer;
  beforeAll(async () => {
    using folder = folderOf({ "keys.json": keySetOf(await key) });
    const notices = { info: () => undefined, warn: () => undefined };
    const keySource = await openKeySource(join(folder.path, "keys.json"), notices);
    keySource.close();
    const match = { kind: "certificate", subjects: [subject] } as const;
    const rules = createLiveRules(
      indexRules([{ match, grants: [{ resource: acme, permissions }] }]),
    );
    server = await startServer({
      tls: { ...tls, clientCa: certificates.clientCa.cert },
      authenticate: createJwtAuthenticator({
        ...{ keySource, issuer, audiences: [audience], clockSkewMs: 0, rules },
      }),
    });
  });
  afterAll(() => server.close());
  const list = (shown?: Certified, token?: string) =>
    createClient(
      WasmExtensions,
      transportOf(optionsOf(server.url, shown, token)),
    ).listWasmExtension({ parent: acme });

  test("a certificate of the CA says who calls", async () => {
    expect((await list(certificates.ci)).extensions).toEqual([]);
  });

  test("one without grants may do nothing", async () => {
    expect((await refused(list(certificates.workload))).reason).toBe("NOT_FOUND");
  });

  test.each([
    ["of another CA", certificates.stranger, "UNABLE_TO_VERIFY"],
    ["that has expired", certificates.expired, "EXPIRED"],
  ])("one %s says nothing", async (_what, shown, problem) => {
    const { code, reason, message } = await refused(list(shown));
    expect({ code, reason }).toEqual({ code: Code.Unauthenticated, reason: "CERTIFICATE_INVALID" });
    expect(message.toLowerCase()).toContain(problem.toLowerCase());
  });

  test("a token goes before it, a bad one too", async () => {
    const grants = [{ resource: acme, permissions: ["READ"] }];
    const good = await sign(await key, { "wasmext.grants": grants });
    for (const shown of [certificates.ci, certificates.stranger, undefined]) {
      expect((await list(shown, good)).extensions).toEqual([]);
    }
    const without = await sign(await key);
    expect((await refused(list(certificates.ci, without))).reason).toBe("NOT_FOUND");
    expect((await refused(list(certificates.ci, "bad"))).reason).toBe("TOKEN_INVALID");
  });

  test("without either, the call is refused and health is open", async () => {
    expect((await refused(list())).reason).toBe("CREDENTIALS_MISSING");
    await createClient(Health, transportOf(optionsOf(server.url))).check({});
  });
});

describe("with --auth none", () => {
  test("a certificate is required, and may do everything without a grants file", async () => {
    await using server = await startServer({
      tls: { ...tls, clientCa: certificates.clientCa.cert },
      authenticate: createCertificateAuthenticator(undefined),
    });
    const clientOf = (shown?: Certified) =>
      createClient(WasmExtensions, createGrpcTransport(optionsOf(server.url, shown)));
    const wasmExtension = { url };
    await clientOf(certificates.workload).createWasmExtension({
      ...{ parent: acme, name: "x", wasmExtension },
    });
    const { reason, message } = await refused(clientOf().listWasmExtension({ parent: acme }));
    expect(reason).toBe("CREDENTIALS_MISSING");
    expect(message).toContain("client certificate");
  });

  test("a certificate may do what a grants file says", async () => {
    const match = {
      kind: "certificate",
      subjects: ["spiffe://cluster.local/ns/mesh/sa/ci"],
    } as const;
    const grants = [{ resource: red, permissions: ["READ"] as const }];
    const rules = createLiveRules(indexRules([{ match, grants }]));
    const authenticate = createCertificateAuthenticator(rules);
    await using server = await startServer({
      ...{ tls: { ...tls, clientCa: certificates.clientCa.cert }, authenticate },
    });
    const clientOf = (shown: Certified) =>
      createClient(WatchService, createGrpcTransport(optionsOf(server.url, shown)));
    const watch = read((options) =>
      clientOf(certificates.workload).watch({ parent: red }, options),
    );
    await watch.next();
    rules.replace(indexRules([]));
    expect((await refused(watch.next())).reason).toBe("NOT_FOUND");
  });
});

test("the calls of a certificate end when it expires", async () => {
  let now = 0;
  const authenticate = createCertificateAuthenticator(undefined, () => now);
  const certificate = { subject: "CN=ci", expiresAt: 1_000, problem: undefined };
  const credentials = { header: () => undefined, certificate };
  expect((await authenticate(credentials)).expiresAt).toBe(1_000);
  now = 1_000;
  expect(() => authenticate(credentials)).toThrow("expired");
});

test.each([
  ["C=US\nO=Acme\\, Inc\nCN=ci", undefined, "CN=ci,O=Acme\\, Inc,C=US"],
  ["C=US\nOU=x + O=Acme", undefined, "O=Acme+OU=x,C=US"],
  [undefined, "URI:spiffe://a/b", "spiffe://a/b"],
  [undefined, "URI:spiffe://a/b, URI:spiffe://c/d", ""],
  [undefined, 'URI:"spiffe://a/b, DNS:c"', ""],
  [undefined, "DNS:a.test", ""],
  [undefined, undefined, ""],
  ["CN=ci", "URI:spiffe://a/b", "CN=ci"],
])("the subject %j with the names %j is %j", (text, subjectAltName, expected) => {
  expect(subjectOf({ subject: text, subjectAltName })).toBe(expected);
});

describe("TLS files that change", () => {
  /** The subject of the certificate that a new connection sees. */
  async function shownBy(port: number, client?: Certified): Promise<string> {
    const socket: TLSSocket = connectTls({ port, rejectUnauthorized: false, ...client });
    await once(socket, "secureConnect");
    const { subject: shown } = socket.getPeerX509Certificate() ?? expect.fail("no certificate");
    socket.destroy();
    return shown;
  }

  test("are in use for new connections, and those that are open go on", async () => {
    using folder = folderOf({
      "tls.crt": tls.cert,
      "tls.key": tls.key,
      "ca.crt": certificates.strangersCa.cert,
    });
    const file = (name: string): string => join(folder.path, name);
    const files = ["--tls-cert", "tls.crt", "--tls-key", "tls.key", "--tls-client-ca", "ca.crt"];
    const { child, firstLine, ended } = startProcess([
      ...["serve", "--port", "0"],
      ...files.map((name, index) => (index % 2 === 0 ? name : file(name))),
    ]);
    const base = (await firstLine).split(" ").at(-1) ?? "";
    const port = Number(new URL(base).port);
    const listBy = (shown: Certified) =>
      createClient(WasmExtensions, createGrpcTransport(optionsOf(base, shown))).listWasmExtension({
        parent: acme,
      });
    await listBy(certificates.stranger);
    expect((await refused(listBy(certificates.ci))).reason).toBe("CERTIFICATE_INVALID");

    const watching = createClient(
      WatchService,
      createGrpcTransport(optionsOf(base, certificates.stranger)),
    );
    const watch = read((options) => watching.watch({ parent: acme }, options));
    await watch.next();

    const replace = (name: string, content: string): void => {
      writeFileSync(file(`${name}.new`), content);
      renameSync(file(`${name}.new`), file(name));
    };
    replace("tls.key", "no key");
    replace("tls.crt", certificates.server.cert);
    replace("tls.key", certificates.server.key);
    replace("ca.crt", certificates.clientCa.cert);
    let shown = "";
    const look = async (): Promise<void> => {
      shown = await shownBy(port);
    };
    while (!shown.includes("renewed")) {
      await look();
    }
    await listBy(certificates.ci);
    expect((await refused(listBy(certificates.stranger))).reason).toBe("CERTIFICATE_INVALID");
    // The connection from before is as it was.
    const writer = createClient(
      WasmExtensions,
      createGrpcTransport(optionsOf(base, certificates.ci)),
    );
    await writer.createWasmExtension({ parent: acme, name: "x", wasmExtension: { url } });
    expect((await watch.next()).events).toHaveLength(1);
    watch.cancel();

    replace("tls.crt", "broken");
    const broken = Date.now();
    expect(readFileSync(file("tls.crt"), "utf8")).toBe("broken");
    await until(() => Date.now() - broken > 700, "time to notice");
    expect(await shownBy(port)).toContain("renewed");
    child.kill();
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(0);
    expect(stderr).toContain("those from before stay in use");
  });
});

describe.each(["TLSv1.2", "TLSv1.3"] as const)("a session of %s", (version) => {
  test("is resumed with its certificate, and not once the CA has changed", async () => {
    await using server = await startServer({
      tls: { ...tls, clientCa: certificates.clientCa.cert },
      authenticate: createCertificateAuthenticator(undefined),
    });
    /** The status of a call, whether the session was resumed, and the session to resume next. */
    const call = async (session?: Buffer) => {
      const socket = connectTls({
        ...{ port: server.port, rejectUnauthorized: false, ...certificates.ci },
        ...{ minVersion: version, maxVersion: version, session },
      });
      const next = once(socket, "session") as Promise<[Buffer]>;
      next.catch(() => undefined);
      await once(socket, "secureConnect");
      const isReused = socket.isSessionReused();
      const body = '{"parent":"organizations/acme"}';
      const headers = [
        ...["Host: localhost", "Content-Type: application/json", "Connection: close"],
        `Content-Length: ${body.length}`,
      ];
      socket.write(`POST ${listPath} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n${body}`);
      const answer = await text(socket);
      return { status: answer.slice(9, 12), isReused, next };
    };
    const first = await call();
    const [session] = await first.next;
    expect(first).toMatchObject({ status: "200", isReused: false });
    expect(await call(session)).toMatchObject({ status: "200", isReused: true });
    server.setTls({ ...tls, clientCa: certificates.strangersCa.cert });
    expect(await call(session)).toMatchObject({ status: "401", isReused: false });
  });
});

test("the calls of a connection share what its certificate is granted, until that changes", async () => {
  const match = { kind: "certificate", subjects: [subject] } as const;
  const listed = Array.from({ length: 3_000 }, (_, index) => ({
    resource: `${acme}/tenants/t${index}`,
    permissions,
  }));
  const rules = createLiveRules(indexRules([{ match, grants: listed }]));
  const authenticate = createCertificateAuthenticator(rules);
  const certificate = { subject, expiresAt: Infinity, problem: undefined };
  const grantsOf = async (shown: typeof certificate) =>
    (await authenticate({ header: () => undefined, certificate: shown })).grants;

  const grants = await grantsOf(certificate);
  expect(grants).toHaveLength(3_000);
  // A list that is the same has been indexed.
  expect(await grantsOf(certificate)).toBe(grants);
  expect(await grantsOf({ ...certificate })).toEqual(grants);
  rules.replace(indexRules([]));
  expect(await grantsOf(certificate)).toEqual([]);
});
