/* Modules that are files on HTTP servers, most of which are hostile or broken. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { failed, ready, settled, source, testModules } from "./support/following.ts";
import { answerBytes, serve } from "./support/registry.ts";
import { cert, key } from "../support/tls.testdata.ts";
import { wasm } from "./support/wasm.ts";

const module = wasm();
const sha256 = createHash("sha256").update(module).digest("hex");

test("a module is fetched, and its bytes are those of the file", async () => {
  await using server = await serve(answerBytes(module));
  await using modules = testModules();
  expect(await settled(modules, source(`http://${server.host}/a/x.wasm?v=1`))).toEqual(
    ready(module),
  );
  expect(Buffer.from(await modules.bytes(sha256))).toEqual(module);
  expect(server.asked).toEqual(["GET /a/x.wasm?v=1"]);
});

test("over TLS, the certificate and the name in it are checked", async () => {
  await using server = await serve(answerBytes(module), { tls: { cert, key } });
  {
    await using modules = testModules();
    expect(await settled(modules, source(`https://${server.host}/x.wasm`))).toEqual(
      failed("UNREACHABLE", "certificate of localhost"),
    );
  }
  await using modules = testModules({ ca: cert, lookup: () => Promise.resolve(["127.0.0.1"]) });
  expect(await settled(modules, source(`https://${server.host}/x.wasm`))).toEqual(ready(module));
  expect(await settled(modules, source(`https://other.test:${server.port}/x.wasm`))).toEqual(
    failed("UNREACHABLE", "certificate of other.test"),
  );
});

describe("the sha256 in the fragment", () => {
  test("is not sent, and a module that has it is taken", async () => {
    await using server = await serve(answerBytes(module));
    await using modules = testModules();
    const url = `http://${server.host}/x.wasm#sha256=${sha256}`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
    expect(server.asked).toEqual(["GET /x.wasm"]);
  });

  test("refuses any other module", async () => {
    await using server = await serve(answerBytes(wasm({ variant: "other" })));
    await using modules = testModules();
    const url = `http://${server.host}/x.wasm#sha256=${sha256}`;
    expect(await settled(modules, source(url))).toEqual(failed("DIGEST_MISMATCH", sha256));
  });
});

describe("redirects", () => {
  test("are followed, relative ones too, and a login goes to the first origin alone", async () => {
    await using other = await serve(answerBytes(module));
    await using server = await serve((request, response) => {
      const location = request.url === "/a" ? "b" : `http://127.0.0.1:${other.port}/c`;
      response.writeHead(302, { location }).end();
    });
    await using modules = testModules();
    const url = `http://me:s%3Acret@${server.host}/a`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
    const login = `Basic ${Buffer.from("me:s:cret").toString("base64")}`;
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([login, login]);
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test.each([
    [
      "http://169.254.169.254/latest/meta-data",
      "ADDRESS_REFUSED",
      "169.254.169.254 is a link-local",
    ],
    ["http://[::ffff:169.254.169.254]/", "ADDRESS_REFUSED", "link-local"],
    ["http://2852039166/", "ADDRESS_REFUSED", "169.254.169.254 is a link-local"],
    ["file:///etc/passwd", "BAD_REDIRECT", "file:"],
    ["gopher://localhost/", "BAD_REDIRECT", "gopher:"],
    ["", "BAD_REDIRECT", "without a valid url"],
    ["http://[", "BAD_REDIRECT", "without a valid url"],
    ["/again", "BAD_REDIRECT", "more than 5 times"],
  ])("to %j is refused", async (location, reason, text) => {
    await using server = await serve((_, response) => {
      response.writeHead(302, { location }).end();
    });
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(failed(reason, text));
  });

  test("from https to http is refused", async () => {
    await using plain = await serve(answerBytes(module));
    await using server = await serve(
      (_, response) => void response.writeHead(301, { location: `http://${plain.host}/` }).end(),
      { tls: { cert, key } },
    );
    await using modules = testModules({ ca: cert });
    expect(await settled(modules, source(`https://${server.host}/x`))).toEqual(
      failed("BAD_REDIRECT", "from https to http"),
    );
    expect(plain.asked).toEqual([]);
  });
});

describe("addresses", () => {
  test.each([
    "http://127.0.0.1/",
    "http://localhost/",
    "http://localhost./",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://0/",
    "http://user@10.0.0.1/",
    "http://169.254.169.254/",
  ])("%s is refused unless it is allowed", async (url) => {
    const lookup = (): Promise<string[]> => Promise.resolve(["127.0.0.1"]);
    await using modules = testModules({ allowedNetworks: [], lookup });
    expect(await settled(modules, source(`${url}x.wasm`))).toEqual(
      failed("ADDRESS_REFUSED", "--allow-module-network"),
    );
  });

  test("a name is looked up once, and the connection goes to the address that was checked", async () => {
    await using server = await serve((request, response) => {
      if (request.url === "/a") {
        response.writeHead(302, { location: "/b" }).end();
      } else {
        response.end(module);
      }
    });
    let lookups = 0;
    // The second answer is another one, as of a name that is to be rebound.
    const lookup = (): Promise<string[]> =>
      Promise.resolve(lookups++ === 0 ? ["127.0.0.1"] : ["10.0.0.1"]);
    await using modules = testModules({ lookup });
    const url = `http://rebinding.test:${server.port}/a`;
    expect(await settled(modules, source(url))).toEqual(ready(module));
    expect(lookups).toBe(1);
    expect(server.requests.map(({ headers }) => headers.host)).toEqual(
      Array(2).fill(`rebinding.test:${server.port}`),
    );
  });

  test("of several addresses only those that are allowed are used, and a private one is not shown", async () => {
    await using server = await serve(answerBytes(module));
    await using modules = testModules({
      lookup: (name) =>
        Promise.resolve(name === "mixed.test" ? ["10.0.0.9", "127.0.0.1"] : ["10.0.0.9"]),
    });
    expect(await settled(modules, source(`http://mixed.test:${server.port}/`))).toEqual(
      ready(module),
    );
    const state = await settled(modules, source("http://inside.test/"));
    expect(state).toEqual(failed("ADDRESS_REFUSED", "inside.test has a private address"));
    expect(JSON.stringify(state)).not.toContain("10.0.0.9");
  });

  test("localhost is this machine, whatever a name server says", async () => {
    await using modules = testModules({ lookup: () => Promise.resolve(["8.8.8.8"]) });
    expect(await settled(modules, source("http://localhost/"))).toEqual(
      failed("ADDRESS_REFUSED", "localhost has no address"),
    );
  });

  test("a name that does not exist is named", async () => {
    const notFound = Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" });
    await using modules = testModules({ lookup: () => Promise.reject(notFound) });
    expect(await settled(modules, source("https://nowhere.test/x.wasm"))).toEqual(
      failed("UNREACHABLE", "there is no host nowhere.test"),
    );
  });

  test("a name server that does not answer is not waited for longer than a fetch may take", async () => {
    await using modules = testModules({
      lookup: () => new Promise(() => undefined),
      timing: { totalMs: 50 },
    });
    expect(await settled(modules, source("https://silent.test/x.wasm"))).toEqual(
      failed("TIMEOUT", "longer than"),
    );
  });
});

describe("answers", () => {
  test.each([
    [401, "UNAUTHORIZED"],
    [403, "UNAUTHORIZED"],
    [404, "NOT_FOUND"],
    [410, "NOT_FOUND"],
    [204, "BAD_ANSWER"],
    [206, "BAD_ANSWER"],
    [304, "BAD_ANSWER"],
    [500, "BAD_ANSWER"],
  ])("with the status %i are no module", async (status, reason) => {
    await using server = await serve((_, response) => void response.writeHead(status).end());
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed(reason, `HTTP status ${status}`),
    );
  });

  test("that say they have 10 GiB are not read", async () => {
    let sent = 0;
    await using server = await serve((_, response) => {
      response.writeHead(200, { "content-length": 10 * 1024 ** 3 });
      response.on("drain", () => response.write(Buffer.alloc(65536)) && sent++);
      response.write(Buffer.alloc(65536));
    });
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("TOO_LARGE", "--max-module-bytes"),
    );
    expect(sent).toBeLessThan(100);
  });

  test("without a length are read no further than allowed", async () => {
    await using server = await serve((_, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(65536)));
      };
      response.on("drain", more);
      more();
    });
    await using modules = testModules({ maxModuleBytes: 1024 * 1024 });
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("TOO_LARGE", "more than 1048576 bytes"),
    );
  });

  test("that are cut off are no module", async () => {
    await using server = await serve((_, response) => {
      response.writeHead(200, { "content-length": module.byteLength + 1 });
      response.write(module, () => response.destroy());
    });
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("BAD_ANSWER", "is cut off"),
    );
  });

  test("that want to speak something else are refused", async () => {
    await using server = await serve((request) => {
      request.socket.write("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    });
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("BAD_ANSWER", "something else than HTTP"),
    );
  });

  test("that end before they begin are no module", async () => {
    await using server = await serve((request) => void request.socket.destroy());
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("UNREACHABLE", "cannot be reached"),
    );
  });

  test("that come after many others are given up", async () => {
    await using server = await serve((_, response) => {
      const timer = setInterval(() => {
        response.writeProcessing();
      }, 1);
      response.on("close", () => {
        clearInterval(timer);
      });
    });
    await using modules = testModules({ timing: { totalMs: 100 } });
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("TIMEOUT", "longer than 0.1 s"),
    );
  });

  test("that are no HTTP are named", async () => {
    await using server = await serve((request) => void request.socket.end("SSH-2.0-x\r\n"));
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("BAD_ANSWER", "not valid HTTP"),
    );
  });

  test("with endless headers are given up", async () => {
    await using server = await serve((request) => {
      request.socket.write("HTTP/1.1 200 OK\r\n");
      request.socket.write(`x: ${"x".repeat(100_000)}`);
    });
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("BAD_ANSWER", "HPE_HEADER_OVERFLOW"),
    );
  });

  test("that do not come are given up, before the head and in the body", async () => {
    await using server = await serve((request, response) => {
      if (request.url === "/body") {
        response.writeHead(200, { "content-length": 100 }).write("\0asm");
      }
    });
    await using modules = testModules({ timing: { silenceMs: 50 } });
    for (const path of ["head", "body"]) {
      expect(await settled(modules, source(`http://${server.host}/${path}`))).toEqual(
        failed("TIMEOUT", "nothing has come from"),
      );
    }
  });

  test("that do not even begin TLS are given up", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    for (const timing of [{ silenceMs: 50 }, { totalMs: 50 }]) {
      await using modules = testModules({ timing });
      expect(await settled(modules, source(`https://127.0.0.1:${port}/x`))).toMatchObject({
        problem: { reason: "TIMEOUT" },
      });
    }
    silent.close();
  });

  test("that come byte by byte are given up", async () => {
    await using server = await serve((_, response) => {
      response.writeHead(200, { "content-length": 100_000 });
      const timer = setInterval(() => response.write("x"), 5);
      response.on("close", () => {
        clearInterval(timer);
      });
    });
    await using modules = testModules({ timing: { totalMs: 100 } });
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("TIMEOUT", "longer than 0.1 s"),
    );
  });

  test("nobody listens", async () => {
    const { port } = await serve(answerBytes(module)).then(async (server) => {
      await server[Symbol.asyncDispose]();
      return server;
    });
    await using modules = testModules();
    expect(await settled(modules, source(`http://127.0.0.1:${port}/x`))).toEqual(
      failed("UNREACHABLE", "refuses the connection"),
    );
  });
});

describe("compressed answers", () => {
  test("are unpacked, though they were not asked for", async () => {
    await using server = await serve(answerBytes(gzipSync(module), { "content-encoding": "gzip" }));
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(ready(module));
  });

  test("are bounded by what they hold", async () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
    await using server = await serve(answerBytes(bomb, { "content-encoding": "gzip" }));
    await using modules = testModules({ maxModuleBytes: 1024 * 1024 });
    expect(bomb.byteLength).toBeLessThan(1024 * 1024);
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("TOO_LARGE", "1048576"),
    );
  });

  test.each([
    [module, "gzip", "not valid gzip"],
    [gzipSync(module).subarray(0, -20), "gzip", "not valid gzip"],
    [module, "br", "not asked for"],
  ])("%# that cannot be unpacked are no module", async (bytes, encoding, text) => {
    await using server = await serve(answerBytes(bytes, { "content-encoding": encoding }));
    await using modules = testModules();
    expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
      failed("BAD_ANSWER", text),
    );
  });
});

test("what is no module for proxies is refused", async () => {
  await using server = await serve((request, response) => {
    response.end(request.url === "/page" ? "<html>" : wasm({ memory: "" }));
  });
  await using modules = testModules();
  expect(await settled(modules, source(`http://${server.host}/page`))).toEqual(
    failed("NOT_WASM", "a page in HTML"),
  );
  expect(await settled(modules, source(`http://${server.host}/x`))).toEqual(
    failed("NO_PROXY_WASM", "no memory"),
  );
});

test("messages do not show what may be secret in a url", async () => {
  await using server = await serve((_, response) => void response.writeHead(404).end());
  await using modules = testModules();
  const url = `http://me:pass@${server.host}/x.wasm?token=abc#d`;
  const state = await settled(modules, source(url));
  expect(state).toEqual(failed("NOT_FOUND", `http://${server.host}/x.wasm: `));
  expect(JSON.stringify(state)).not.toMatch(/me:|pass|abc|#d/);
});

test("a file of the proxy is not fetched", async () => {
  await using modules = testModules();
  expect(await settled(modules, source("file:///etc/passwd"))).toEqual(
    failed("UNSUPPORTED", "file"),
  );
});
