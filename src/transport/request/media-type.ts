/** A media type, as RFC 9110 (section 8.3.1) writes it. */
export interface MediaType {
  /** Type and subtype in lower case: `application/json`. */
  readonly type: string;
  /** By name in lower case; quotes are gone. */
  readonly parameters: ReadonlyMap<string, string>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const typePattern = new RegExp(`^(${token}/${token})[ \\t]*`);
const parameterPattern = new RegExp(`^(${token})=(?:(${token})|"((?:[^"\\\\]|\\\\.)*)")[ \\t]*`);

/** Parses the value of a Content-Type header; returns undefined if it is not a media type. */
export function parseMediaType(value: string): MediaType | undefined {
  const [head, type = ""] = typePattern.exec(value.trim()) ?? [];
  if (head === undefined) {
    return undefined;
  }
  const parameters = new Map<string, string>();
  let rest = value.trim().slice(head.length);
  while (rest.startsWith(";")) {
    rest = rest.slice(1).trimStart();
    const [all = "", name, plain, quoted = ""] = parameterPattern.exec(rest) ?? [];
    if (name !== undefined) {
      parameters.set(name.toLowerCase(), plain ?? quoted.replaceAll(/\\(.)/g, "$1"));
    }
    rest = rest.slice(all.length);
  }
  return rest === "" ? { type: type.toLowerCase(), parameters } : undefined;
}
