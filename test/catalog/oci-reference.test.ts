import { describe, expect, test } from "vitest";
import { parseOciReference } from "../../src/catalog/oci-reference.ts";

const sha256 = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("OCI references", () => {
  test.each([
    ["alpine", { host: undefined, repository: "alpine", tag: undefined, digest: undefined }],
    ["alpine:3", { repository: "alpine", tag: "3" }],
    ["library/alpine", { host: undefined, repository: "library/alpine" }],
    ["docker.io/x:1", { host: "docker.io", repository: "x", tag: "1" }],
    ["localhost/x", { host: "localhost", repository: "x" }],
    ["localhost:5000/a/b", { host: "localhost:5000", repository: "a/b", tag: undefined }],
    ["10.0.0.1:5000/x:v1", { host: "10.0.0.1:5000", repository: "x", tag: "v1" }],
    ["[::1]:5000/x", { host: "[::1]:5000", repository: "x" }],
    ["Registry/x", { host: "Registry", repository: "x" }],
    [`ghcr.io/a/b@${sha256}`, { host: "ghcr.io", repository: "a/b", digest: sha256 }],
    [`ghcr.io/a/b:1@${sha256}`, { tag: "1", digest: sha256 }],
    [`x@constructor:${"a".repeat(64)}`, { digest: `constructor:${"a".repeat(64)}` }],
    ["a/b__c.d-e--f", { repository: "a/b__c.d-e--f" }],
  ])("%s is one", (text, parts) => {
    expect(parseOciReference(text)).toMatchObject(parts);
  });

  test.each([
    "",
    "/x",
    "x/",
    "a//b",
    "docker.io/",
    "docker.io/X",
    "UPPER",
    "x:",
    "x: 1",
    "x:-tag",
    `x:${"t".repeat(129)}`,
    "x@",
    "x@sha256:abc",
    `x@sha256:${"A".repeat(64)}`,
    `x@sha256:${"g".repeat(64)}`,
    `x@${sha256}@${sha256}`,
    "-x/y",
    "a b",
    "http//x y",
    "a".repeat(256),
    "a/".repeat(100_000),
    "-".repeat(100_000),
  ])("%j is none", (text) => {
    expect(parseOciReference(text)).toBeUndefined();
  });
});
