import { writeFileSync } from "node:fs";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** What a caller proves that it may call with. */
export interface Credentials {
  /** The options of a server that asks for them. */
  readonly options: readonly string[];
  readonly token: string;
}

/** Makes a key, and a token that grants everything in an organization. */
export async function createCredentials(keysFile: string, resource: string): Promise<Credentials> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const key = { ...(await exportJWK(publicKey)), kid: "bench", alg: "ES256" };
  writeFileSync(keysFile, JSON.stringify({ keys: [key] }));
  const permissions = ["READ", "CREATE", "WRITE", "DELETE"];
  const token = await new SignJWT({ "wasmext.grants": [{ resource, permissions }] })
    .setProtectedHeader({ alg: "ES256", kid: "bench" })
    .setIssuer("bench")
    .setAudience("wasmext")
    .setSubject("bench")
    .setExpirationTime("3h")
    .sign(privateKey);
  const rules = ["--issuer", "bench", "--audience", "wasmext"];
  return { options: ["--auth", "jwt", "--jwks", keysFile, ...rules], token };
}
