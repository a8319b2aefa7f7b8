import { problemOfOciReference } from "./oci-problem.ts";
import { problemOfTemplate } from "./url-variable.ts";

const schemePattern = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

/** Adds `oci://` to a location without a scheme; leaves the empty string alone. */
export function withScheme(location: string): string {
  return location === "" || schemePattern.test(location) ? location : `oci://${location}`;
}

/**
 * Says what is wrong with a module's url, and the remedy; undefined for a valid url, and for schemes
 * that the proto's rule refuses.
 */
export function problemOfModuleUrl(url: string): string | undefined {
  return problemOfTemplate(url) ?? problemOfCharacters(url) ?? problemOfPlace(url);
}

function problemOfCharacters(url: string): string | undefined {
  if (!/[\s\p{Cc}]/u.test(url)) {
    return undefined;
  }
  const remedy = url.startsWith("oci://") ? "remove them" : "remove them, or percent-encode them";
  return `holds white space or control characters; ${remedy}`;
}

function problemOfPlace(url: string): string | undefined {
  const [scheme, rest] = splitScheme(url);
  switch (scheme) {
    case "oci":
      return problemOfOciReference(rest);
    case "http":
    case "https":
      return hasHost(rest) && URL.canParse(url)
        ? problemOfFragment(url)
        : `names no valid host; write ${scheme}://host[:port]/path/module.wasm`;
    case "file":
      return /^[^/?#]*\/[^?#]/.test(rest)
        ? undefined
        : "has no path; write file:///path/module.wasm";
    default:
      return undefined;
  }
}

const sha256Url = /^(https?:\/\/[^#]*)#sha256=([0-9a-f]{64})$/s;

/** The sha256, in hex, that the fragment of an http(s) url says the module has; undefined if it has none. */
export function sha256InUrl(url: string): string | undefined {
  return sha256Url.exec(url)?.[2];
}

/** An http(s) url without the sha256 in its fragment; any other url as it is. */
export function withoutSha256(url: string): string {
  return sha256Url.exec(url)?.[1] ?? url;
}

/** A fragment may say what the module's sha256 is; any other has no meaning. */
function problemOfFragment(url: string): string | undefined {
  const [, fragment = ""] = /#(.*)$/s.exec(url) ?? [];
  return /^sha-?256[=:-]/i.test(fragment) && sha256InUrl(url) === undefined
    ? "has a sha256 that is not valid; write #sha256= and 64 lower-case hex digits"
    : undefined;
}

function splitScheme(url: string): [string, string] {
  const end = url.indexOf("://");
  return end < 0 ? ["", url] : [url.slice(0, end), url.slice(end + "://".length)];
}

/** The authority is checked as it is written: the WHATWG parser reads `http:///x` as the host `x`. */
function hasHost(rest: string): boolean {
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? "";
  const host = authority.slice(authority.lastIndexOf("@") + 1).replace(/:\d*$/, "");
  return host !== "";
}
