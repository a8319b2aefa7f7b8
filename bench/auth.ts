/*
 * What it costs to tell who calls: a token that has been verified, a new one, and tokens that prove nothing.
 *
 * Each is a ratio to what a unary Get over gRPC costs the server in the same run, counted as the time that
 * its process has computed. A server that tells callers apart is compared with one that does not, too.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { create, toBinary } from "@bufbuild/protobuf";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import {
  CreateWasmExtensionRequestSchema,
  GetWasmExtensionRequestSchema,
  WasmExtensions,
} from "../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { createLiveRules } from "../src/auth/grant-rules.ts";
import { createJwtAuthenticator } from "../src/auth/jwt.ts";
import { openKeySource } from "../src/auth/key-source.ts";
import { median, print } from "./measure.ts";

const organization = "organizations/acme";
const rounds = 5;
const getsInRound = 5_000;

const folder = mkdtempSync(join(tmpdir(), "wasmext-bench-"));
const keysFile = join(folder, "keys.json");
const es = await generateKeyPair("ES256", { extractable: true });
const rs = await generateKeyPair("RS256", { extractable: true });
const keys = [
  { ...(await exportJWK(es.publicKey)), kid: "es", alg: "ES256" },
  { ...(await exportJWK(rs.publicKey)), kid: "rs", alg: "RS256" },
];
writeFileSync(keysFile, JSON.stringify({ keys }));

function sign(alg: "ES256" | "RS256", sub: string): Promise<string> {
  const permissions = ["READ", "CREATE", "WRITE", "DELETE"];
  const claims = { "wasmext.grants": [{ resource: organization, permissions }] };
  return new SignJWT(claims)
    .setProtectedHeader({ alg, kid: alg.slice(0, 2).toLowerCase() })
    .setIssuer("bench")
    .setAudience("wasmext")
    .setSubject(sub)
    .setExpirationTime("1h")
    .sign((alg === "ES256" ? es : rs).privateKey);
}

/** A server in a process of its own. */
async function startServer(...more: string[]) {
  const main = new URL("../src/main.ts", import.meta.url).pathname;
  const child = spawn(
    process.execPath,
    [main, "serve", "--port", "0", "--log-level", "silent", ...more],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return {
    session: connect(line.split(" ").at(-1) ?? ""),
    /** How long the process has computed, in µs; only Linux tells, in hundredths of a second. */
    usedMicroseconds(): number {
      const fields = readFileSync(`/proc/${child.pid ?? 0}/stat`, "utf8").split(" ");
      return (Number(fields[13]) + Number(fields[14])) * 10_000;
    },
    stop: () => child.kill(),
  };
}

async function call(
  session: ClientHttp2Session,
  method: string,
  message: Uint8Array,
  token: string,
): Promise<string> {
  const stream = session.request({
    ":method": "POST",
    ":path": `/${WasmExtensions.typeName}/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${token}`,
  });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  stream.end(Buffer.concat([head, message]));
  let status = "";
  const take = ({ "grpc-status": said }: Record<string, unknown>): void => {
    status = typeof said === "string" ? said : status;
  };
  stream.on("response", take).on("trailers", take).resume();
  await once(stream, "close");
  return status;
}

/** What one call costs a server, in µs, after as many that are not measured. */
async function costOfGet(
  server: Awaited<ReturnType<typeof startServer>>,
  tokenOf: (index: number) => string,
  expected: string,
): Promise<number> {
  const get = toBinary(
    GetWasmExtensionRequestSchema,
    create(GetWasmExtensionRequestSchema, { fqn: `${organization}/extensions/x` }),
  );
  const before = server.usedMicroseconds();
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < getsInRound) {
      const status = await call(server.session, "GetWasmExtension", get, tokenOf(next++));
      if (status !== expected) {
        throw new Error(`the status is ${status}, not ${expected}`);
      }
    }
  };
  await Promise.all(Array.from({ length: 32 }, caller));
  return (server.usedMicroseconds() - before) / getsInRound;
}

/** What it costs to tell who has a token, in µs. */
async function costOfToken(count: number, tokenOf: (index: number) => string): Promise<number> {
  const notices = { info: () => undefined, warn: () => undefined };
  const keySource = await openKeySource(keysFile, notices);
  const authenticate = createJwtAuthenticator({
    ...{ keySource, issuer: "bench", audiences: ["wasmext"], clockSkewMs: 0 },
    rules: createLiveRules(),
  });
  const measured: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let index = 0; index < count; index++) {
      const authorization = `Bearer ${tokenOf(index)}`;
      try {
        const principal = authenticate({
          header: (name) => (name === "authorization" ? authorization : undefined),
        });
        if (principal instanceof Promise) {
          await principal;
        }
      } catch {
        // Refused, as it should be.
      }
    }
    const { user, system } = process.cpuUsage(before);
    measured.push((user + system) / count);
  }
  keySource.close();
  return median(measured);
}

const good = await sign("ES256", "alice");
const [header = "", claims = "", signature = ""] = good.split(".");
const rsGood = (await sign("RS256", "alice")).split(".");
const unknown = (index: number): string =>
  `${Buffer.from(JSON.stringify({ alg: "ES256", kid: `k${index}` })).toString("base64url")}.${claims}.${signature}`;
const forged = (index: number): string =>
  `${header}.${Buffer.from(`{"sub":"${index}"}`).toString("base64url")}.${signature}`;
const forgedRs = (index: number): string =>
  `${rsGood[0] ?? ""}.${Buffer.from(`{"sub":"${index}"}`).toString("base64url")}.${rsGood[2] ?? ""}`;

const jwt = ["--auth", "jwt", "--jwks", keysFile, "--issuer", "bench", "--audience", "wasmext"];
const [plain, secured] = await Promise.all([startServer(), startServer(...jwt)]);
const wasmExtension = { url: "oci://ghcr.io/acme/x:1.0" };
const request = create(CreateWasmExtensionRequestSchema, {
  ...{ parent: organization, name: "x", wasmExtension },
});
for (const { session } of [plain, secured]) {
  const bytes = toBinary(CreateWasmExtensionRequestSchema, request);
  await call(session, "CreateWasmExtension", bytes, good);
}
const costs: Record<"plain" | "secured" | "refused", number[]> = {
  ...{ plain: [], secured: [], refused: [] },
};
for (let round = 0; round <= rounds; round++) {
  const measured = {
    plain: await costOfGet(plain, () => good, "0"),
    secured: await costOfGet(secured, () => good, "0"),
    refused: await costOfGet(secured, forged, "16"),
  };
  // The first round warms up.
  if (round > 0) {
    costs.plain.push(measured.plain);
    costs.secured.push(measured.secured);
    costs.refused.push(measured.refused);
  }
}
const get = median(costs.plain);
print("Get over gRPC: µs of the server", get.toFixed(1));
print("Get with a verified token: to one without", (median(costs.secured) / get).toFixed(2));
print(
  "Get with a forged signature: to one that is answered",
  (median(costs.refused) / get).toFixed(2),
);
for (const [name, count, tokenOf] of [
  ["a verified token", 100_000, () => good],
  ["a token of another key, each another one", 20_000, unknown],
  ["a forged ES256 signature, each another one", 5_000, forged],
  ["a forged RS256 signature, each another one", 5_000, forgedRs],
  ["a token of 16 KiB", 20_000, () => "x".repeat(16 * 1024 + 1)],
] as const) {
  const cost = await costOfToken(count, tokenOf);
  print(`${name}: µs`, cost.toFixed(1));
  print(`${name}: to a Get`, (cost / get).toFixed(3));
}
for (const { session, stop } of [plain, secured]) {
  session.close();
  stop();
}
rmSync(folder, { recursive: true });
