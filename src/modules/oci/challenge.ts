/*
 * What a registry asks for in WWW-Authenticate.
 * https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate
 */

/** A scheme with its parameters; names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(`^(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`);
const schemePattern = new RegExp(`^(${token})(?:\\s+|$|(?=,))`);

/** Parses a header; what cannot be understood ends it. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header.trim();
  while (rest !== "") {
    const [parameter, name = "", quoted, plain = ""] = parameterPattern.exec(rest) ?? [];
    const current = challenges.at(-1);
    if (parameter !== undefined && current !== undefined) {
      current.parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, "$1") ?? plain);
      rest = rest.slice(parameter.length);
    } else {
      const [start, scheme = ""] = schemePattern.exec(rest) ?? [];
      if (start === undefined) {
        break;
      }
      challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
      rest = rest.slice(start.length);
    }
    rest = rest.replace(/^[\s,]+/, "");
  }
  return challenges;
}
