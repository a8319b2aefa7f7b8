/** Longest excerpt of a value in an error text, in characters. */
export const maxExcerpt = 80;

/** Longest authority of a url that is searched for credentials, in characters. */
const maxAuthority = 4096;

/**
 * Quotes a value for an error text: shortened, with invisible characters as escapes, and without the
 * user and password of a url.
 */
export function excerpt(value: string): string {
  const shown = withoutCredentials(value);
  const cut = shown.length > maxExcerpt ? `${shown.slice(0, maxExcerpt)}…` : shown;
  return JSON.stringify(cut.toWellFormed()).replaceAll(
    /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A url without user and password: errors are logged, and more people read logs than know passwords. */
function withoutCredentials(value: string): string {
  const start = value.lastIndexOf("://") + "://".length;
  const [authority = ""] = /^[^/?#\s]*/.exec(value.slice(start, start + maxAuthority)) ?? [];
  const at = authority.lastIndexOf("@");
  const isDigest = /^@sha\d+[:=-]/.test(authority.slice(at));
  return start < "://".length || at < 0 || isDigest
    ? value
    : `${value.slice(0, start)}…${value.slice(start + at)}`;
}
