/*
 * Istio parses urls with Go's net/url, and drops a plugin whose url is not valid there. Some urls that the
 * catalog accepts are not: a reference without a host but with a tag looks like one with a port, and a
 * percent sign has to begin an escape. https://pkg.go.dev/net/url#Parse
 */

/** What Go leaves unescaped in a host, of ASCII; anything beyond ASCII is taken. */
const hostPattern = /^(?:[\w.~!$&'()*+,;=:<>"-]|[^\p{ASCII}]|%[89a-fA-F][\da-fA-F])*$/u;
const userPattern = /^(?:[\w.~!$&'()*+,;=:@-]|%[\da-fA-F]{2})*$/;

/** Tells whether Go can parse a url that begins with a scheme and `://`. */
export function isGoUrl(url: string): boolean {
  const parts = /^[a-z]+:\/\/([^/?#]*)([^?#]*)(?:\?[^#]*)?(#.*)?$/su.exec(url);
  if (parts === null) {
    return false;
  }
  const [, authority = "", path = "", fragment = ""] = parts;
  const at = authority.lastIndexOf("@");
  const [, host = "", port = ""] =
    /^(\[[^\]]*\]|.*?)(:[^:[\]]*)?$/s.exec(authority.slice(at + 1)) ?? [];
  return (
    userPattern.test(authority.slice(0, Math.max(at, 0))) &&
    (isBracketedAddress(host) || (hostPattern.test(host) && !host.includes(":"))) &&
    /^(?::\d*)?$/.test(port) &&
    hasWholeEscapes(path) &&
    hasWholeEscapes(fragment)
  );
}

function isBracketedAddress(host: string): boolean {
  return /^\[[\da-fA-F:.]+\]$/.test(host) && URL.canParse(`http://${host}/`);
}

function hasWholeEscapes(text: string): boolean {
  return !/%(?![\da-fA-F]{2})/.test(text);
}
