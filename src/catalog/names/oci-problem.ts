/* Why a text is not an OCI image reference: the part at fault, and the remedy. */
import { excerpt } from "./excerpt.ts";
import {
  maxNameLength,
  maxReferenceLength,
  parseOciReference,
  registeredDigests,
  splitOciReference,
} from "./oci-reference.ts";
import { problemOfVariable } from "./url-variable.ts";

const example = "such as oci://ghcr.io/acme/auth:1.0";

/**
 * Says what is wrong with what follows `oci://` in a url, and the remedy; undefined for a valid
 * reference.
 */
export function problemOfOciReference(text: string): string | undefined {
  if (parseOciReference(text) !== undefined) {
    return undefined;
  }
  const { name, tag, digests } = splitOciReference(text);
  return (
    problemOfWhole(text) ??
    problemOfDigests(digests) ??
    (tag === undefined ? undefined : problemOfTag(name, tag)) ??
    problemOfName(name)
  );
}

/** Finds what no image reference has, such as a scheme, credentials or a variable. */
function problemOfWhole(text: string): string | undefined {
  if (text === "") {
    return `has no image reference; write [host/]repository[:tag][@digest], ${example}`;
  }
  if (text.length > maxReferenceLength) {
    return `has a reference of ${text.length} characters; write at most ${maxReferenceLength}`;
  }
  const [scheme] = /[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text) ?? [];
  if (scheme !== undefined) {
    return /^(?:https?|file):/.test(scheme)
      ? `has two schemes; write ${scheme} alone for a .wasm file, or oci:// alone for an image in a registry`
      : `has two schemes; leave ${scheme} out`;
  }
  const [, singleColon] = /^(oci|docker|https?|file):(?!\d+(?:[/@]|$))/.exec(text) ?? [];
  if (singleColon !== undefined) {
    return `has ${singleColon}: where an image reference begins; leave it out, or write ${singleColon}:// at the beginning of the url`;
  }
  // A digest holds no slash, so an @ before a slash follows credentials: user:password@host/repository.
  if (/@(?!sha\d+[:=-])[^@]*\/|@[^@/:]+\.[^@/]*$/.test(text)) {
    return "holds credentials, which all who may read the extension would see; take them out, and name a Kubernetes secret in image_pull_secret";
  }
  const variable = problemOfVariable(text);
  if (variable !== undefined) {
    return variable;
  }
  if (/^(?:\/|\.\.?\/|~|[A-Za-z]:[\\/])/.test(text)) {
    return "is the path of a file; write file:///path/module.wasm for a file in the proxy's container, or oci://host/repository for an image";
  }
  const [stray] = /[?#%\\]/.exec(text) ?? [];
  return stray === undefined
    ? undefined
    : `holds ${stray}, which an image reference cannot have; write [host/]repository[:tag][@digest] as it is, with nothing encoded or added`;
}

function problemOfDigests([digest, ...more]: readonly string[]): string | undefined {
  const remedy = "write @sha256: and 64 lower-case hex digits";
  if (digest === undefined) {
    return undefined;
  }
  if (more.length > 0) {
    return `has ${more.length + 1} digests; keep one`;
  }
  if (digest === "") {
    return "ends with @ and has no digest; write one, or leave the @ out";
  }
  const [, algorithm = "", hex = ""] = /^([^:]*):(.*)$/s.exec(digest) ?? [];
  if (algorithm === "") {
    return `has the digest ${excerpt(digest)} without an algorithm; ${remedy}`;
  }
  if (!/^[0-9A-Fa-f]*$/.test(hex)) {
    return `has the digest ${excerpt(digest)}, which is not all hex digits; ${remedy}`;
  }
  const digits = registeredDigests.get(algorithm);
  if (digits !== undefined && hex.length !== digits) {
    return `has a digest of ${hex.length} hex digits, and ${algorithm} has ${digits}; copy the digest as a whole`;
  }
  if (digits !== undefined && hex !== hex.toLowerCase()) {
    return "has a digest in upper case; write its hex digits in lower case";
  }
  const isKnown =
    digits !== undefined || /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*$/.test(algorithm);
  return isKnown && hex.length >= 32
    ? undefined
    : `has the digest ${excerpt(digest)}, which is not valid; ${remedy}`;
}

function problemOfTag(name: string, tag: string): string | undefined {
  if (tag === "") {
    return "ends with a colon and has no tag; write one after it, or leave the colon out";
  }
  if (/^sha\d+:/.test(tag)) {
    return "has a digest after a colon; write @ before it: repository@sha256:…";
  }
  if (name.startsWith("[") || (/^\d+:/.test(tag) && /\.|^localhost$/.test(name))) {
    return `has a port and no repository; write host:port/repository[:tag], ${example}`;
  }
  if (tag.includes(":")) {
    return `has two tags, ${excerpt(tag)}; keep one`;
  }
  const [wrong] = /[^\w.-]/u.exec(tag) ?? [];
  if (wrong === "+") {
    return `has the tag ${excerpt(tag)}, and a tag cannot hold +; push the image as ${excerpt(tag.replaceAll("+", "_"))}, and write that`;
  }
  if (wrong !== undefined) {
    return `has the tag ${excerpt(tag)}, and a tag cannot hold ${excerpt(wrong)}; write letters, digits, '_', '.' and '-'`;
  }
  if (tag.length > 128) {
    return `has a tag of ${tag.length} characters; write at most 128`;
  }
  return /^[.-]/.test(tag)
    ? `has the tag ${excerpt(tag)}; begin it with a letter, a digit or '_'`
    : undefined;
}

/** Finds what is wrong with host and repository. */
function problemOfName(name: string): string {
  if (name.length > maxNameLength) {
    return `has a host and repository of ${name.length} characters; write at most ${maxNameLength}`;
  }
  const [first = "", ...rest] = name.split("/");
  if (rest.length === 1 && rest[0] === "" && /[.:]|^localhost$/.test(first)) {
    return `has the host ${excerpt(first)} and no repository; write host/repository[:tag], ${example}`;
  }
  if (name === "" || name.endsWith("/") || name.includes("//")) {
    return name.endsWith("/")
      ? "has a slash at the end of its repository; leave it out"
      : "has an empty part in its repository; write [host/]repository[:tag][@digest]";
  }
  if (rest.length > 0 && /[:[\]]/.test(first)) {
    return `has the host ${excerpt(first)}, which is not valid; write a name or an address, and a port in digits`;
  }
  const repository = rest.length > 0 && first.includes(".") ? rest.join("/") : name;
  const [wrong] = /[^a-z0-9._/-]/u.exec(repository.toLowerCase()) ?? [];
  if (wrong !== undefined) {
    return `has the repository ${excerpt(repository)}, and a repository cannot hold ${excerpt(wrong)}; write lower-case letters, digits, '.', '_' and '-'`;
  }
  if (repository !== repository.toLowerCase()) {
    return `has a repository with upper-case letters; write ${excerpt(repository.toLowerCase())}`;
  }
  return `has ${excerpt(name)} for its name; begin and end each part of it with a letter or a digit, and write one of '.', '_', '__' and hyphens between them`;
}
