/* Digests of content, as the OCI image specification has them. */
import { createHash, type Hash } from "node:crypto";
import { registeredDigests } from "../../catalog/names/oci-reference.ts";
import { ModuleFault } from "../problem.ts";

/** What content should be. */
export interface Expected {
  readonly digest: string;
  /** In bytes; undefined if that is not known. */
  readonly size?: number | undefined;
}

/** Tells whether a text is a digest that can be checked. */
export function isCheckable(digest: string): boolean {
  const [algorithm = "", hex = ""] = digest.split(":");
  return registeredDigests.get(algorithm) === hex.length && /^[0-9a-f]+$/.test(hex);
}

/** Hashes content, and compares it with what it should be. */
export interface Check {
  update(chunk: Uint8Array): void;
  /** Raises a ModuleFault if the content is something else. */
  end(): void;
}

/**
 * Begins to check content.
 *
 * @param what - what it is, for the message, such as "the layer"
 */
export function beginCheck(what: string, { digest, size }: Expected): Check {
  const [algorithm = ""] = digest.split(":");
  if (!isCheckable(digest)) {
    throw new ModuleFault(
      "UNSUPPORTED",
      `${what} has a digest that is not sha256 or sha512; push the image again with one`,
    );
  }
  const hash: Hash = createHash(algorithm);
  let bytes = 0;
  return {
    update(chunk) {
      bytes += chunk.byteLength;
      hash.update(chunk);
    },
    end() {
      const found = `${algorithm}:${hash.digest("hex")}`;
      if (size !== undefined && bytes !== size) {
        throw new ModuleFault(
          "DIGEST_MISMATCH",
          `${what} has ${bytes} bytes instead of ${size}; push the image again`,
        );
      }
      if (found !== digest) {
        throw new ModuleFault(
          "DIGEST_MISMATCH",
          `${what} has the digest ${found} instead of ${digest}; it was replaced or damaged, so push the image again, or correct the digest in the url`,
        );
      }
    },
  };
}

/** Checks content that is in memory. */
export function checkBytes(what: string, bytes: Uint8Array, expected: Expected): void {
  const check = beginCheck(what, expected);
  check.update(bytes);
  check.end();
}

/** The sha256 digest of bytes. */
export function sha256Of(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
