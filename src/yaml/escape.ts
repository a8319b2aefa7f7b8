/** Writes a character of the basic plane as JSON and YAML do in double quotes: `\u202e`. */
export function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Characters that have to be escaped: they control terminals, or are line breaks or errors for a YAML
 * parser. Line feeds and tabs are left out.
 */
export const unsafe =
  /[^\t\n\x20-\x7e\u00a0-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]|[\u2028\u2029\p{Bidi_Control}]/gu;
