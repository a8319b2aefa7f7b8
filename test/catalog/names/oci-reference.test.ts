import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withScheme, problemOfModuleUrl } from "../../../src/catalog/names/module-url.ts";
import { problemOfOciReference } from "../../../src/catalog/names/oci-problem.ts";
import { parseOciReference } from "../../../src/catalog/names/oci-reference.ts";

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

describe("what is wrong with an OCI reference is named with its remedy", () => {
  const hex = "0123456789abcdef".repeat(4);

  test.each([
    ["ghcr.io/Acme/Auth:1.0", 'upper-case letters; write "acme/auth"'],
    ["UPPER", 'upper-case letters; write "upper"'],
    [
      "ghcr.io/a/b:1.0+build",
      'the tag "1.0+build", and a tag cannot hold +; push the image as "1.0_build"',
    ],
    ["user:pass@ghcr.io/a/b:1", "holds credentials"],
    ["token@ghcr.io/a/b", "holds credentials"],
    ["user:p@ss/word@ghcr.io/a/b", "holds credentials"],
    ["user:pass@ghcr.io", "holds credentials"],
    ["ghcr.io/a/b:${TAG}", 'holds the variable "${TAG}"; write its value'],
    ["ghcr.io/a/b:$TAG", 'holds the variable "$TAG"'],
    ["$(REGISTRY)/a/b", 'holds the variable "$(REGISTRY)"'],
    ["ghcr.io/a/b:{{ .Values.tag }}", 'holds the variable "{{ .Values.tag }}"'],
    ["ghcr.io/a/b:{{\n.Values.tag }}", 'holds the variable "{{\\n.Values.tag }}"'],
    ["%REGISTRY%/a/b", 'holds the variable "%REGISTRY%"'],
    ["ghcr.io/a/b:@VERSION@", 'holds the variable "@VERSION@"'],
    ["ghcr.io/a/b:<tag>", 'holds the variable "<tag>"'],
    [
      "https://ghcr.io/a/b",
      "has two schemes; write https:// alone for a .wasm file, or oci:// alone",
    ],
    ["file:///opt/x.wasm", "has two schemes; write file:// alone"],
    ["oci://ghcr.io/a/b", "has two schemes; leave oci:// out"],
    ["docker://ghcr.io/a/b", "has two schemes; leave docker:// out"],
    ["oci:ghcr.io/a/b", "has oci: where an image reference begins"],
    ["https:/ghcr.io/a/b", "has https: where an image reference begins"],
    ["/opt/x.wasm", "is the path of a file; write file:///path/module.wasm"],
    ["./x.wasm", "is the path of a file"],
    ["../x.wasm", "is the path of a file"],
    ["~/x.wasm", "is the path of a file"],
    ["C:\\x.wasm", "is the path of a file"],
    ["ghcr.io\\a", "holds \\, which an image reference cannot have"],
    ["ghcr.io/a/b?x=y", "holds ?, which an image reference cannot have"],
    ["ghcr.io/a%2Fb", "holds %, which"],
    ["localhost:5000/", 'has the host "localhost:5000" and no repository'],
    ["ghcr.io/", 'has the host "ghcr.io" and no repository'],
    ["[::1]:5000", "has a port and no repository"],
    ["localhost:5000:1.0", "has a port and no repository"],
    ["ghcr.io:port/a", 'has the host "ghcr.io:port", which is not valid'],
    ["[zz]/a", 'has the host "[zz]", which is not valid'],
    [":5000/a", 'has the host ":5000", which is not valid'],
    [`x@sha256:${hex.slice(1)}`, "has a digest of 63 hex digits, and sha256 has 64"],
    [`x@sha512:${hex}`, "has a digest of 64 hex digits, and sha512 has 128"],
    [
      `x@sha256:${hex.toUpperCase()}`,
      "has a digest in upper case; write its hex digits in lower case",
    ],
    [`x@sha256:${hex.slice(1)}g`, "not all hex digits"],
    [`x@sha256-${hex}`, "without an algorithm; write @sha256: and 64"],
    [`x@${hex}`, "without an algorithm; write @sha256: and 64"],
    ["x@sha256:", "has a digest of 0 hex digits"],
    ["x@md5:d41d8cd98f00b204e9800998ecf8427", "not valid; write @sha256: and 64"],
    [`x@sha256:${hex}@sha256:${hex}`, "has 2 digests; keep one"],
    ["x@", "ends with @ and has no digest"],
    [`x:sha256:${hex}`, "has a digest after a colon; write @ before it"],
    ["x:1:2", 'has two tags, "1:2"; keep one'],
    [`x:${"t".repeat(129)}`, "has a tag of 129 characters; write at most 128"],
    ["x:", "ends with a colon and has no tag"],
    ["x:-1", 'has the tag "-1"; begin it with'],
    ["x:1,2", 'a tag cannot hold ","'],
    ["x:ü", 'a tag cannot hold "ü"'],
    ["ghcr.io/a/b/", "has a slash at the end of its repository; leave it out"],
    ["ghcr.io/a/:1", "has a slash at the end of its repository"],
    ["ghcr.io//a", "has an empty part in its repository"],
    ["ghcr.io/a b", "holds white space or control characters; remove them"],
    [" ghcr.io/a", "holds white space or control characters; remove them"],
    ['"ghcr.io/a"', 'a repository cannot hold "\\""'],
    ["ghcr.io/münchen/b", 'a repository cannot hold "ü"'],
    ["ghcr.io/a_/b", "begin and end each part of it with a letter or a digit"],
    ["ghcr.io/a..b", "begin and end each part"],
    ["-x/y", "begin and end each part"],
    ["a".repeat(256), "has a host and repository of 256 characters; write at most 255"],
    ["a/".repeat(1000), "has a reference of 2000 characters; write at most 1024"],
    ["", "has no image reference"],
  ])("%s", (text, problem) => {
    expect(problemOfModuleUrl(`oci://${text}`)).toContain(problem);
  });

  test("a path without a scheme is told from an image", () => {
    expect(problemOfModuleUrl(withScheme("/opt/x.wasm"))).toContain("is the path of a file");
  });

  test("a variable in the host of a file is named as well", () => {
    expect(problemOfModuleUrl("https://${HOST}/x.wasm")).toContain('holds the variable "${HOST}"');
    expect(problemOfModuleUrl("https://h/{{ .Values.x }}")).toContain(
      'holds the variable "{{ .Values.x }}"',
    );
    expect(problemOfModuleUrl("file:///opt/${NAME}.wasm")).toContain(
      'holds the variable "${NAME}"',
    );
    expect(problemOfModuleUrl("https://h/$x/%20/(a)/@b/x.wasm?a={b}#c")).toBeUndefined();
  });

  const piece = fc.constantFrom(
    ...Array.from("aA0._-/:@+[]?#%$ü\\ ~"),
    "ghcr.io",
    "localhost",
    ":5000/",
    "://",
    "sha256:",
    hex,
    `@sha256:${hex}`,
  );

  test("nothing that a reference can be has a problem, and all else has one with a remedy", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join("");
        const problem = problemOfOciReference(text);
        expect(problem === undefined).toBe(parseOciReference(text) !== undefined);
        expect(problem ?? "; x").toMatch(/; \w/);
      }),
      { numRuns: 2000 },
    );
  });
});
