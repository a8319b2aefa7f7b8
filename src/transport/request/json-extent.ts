/** The limit that a JSON text exceeds. */
export type JsonExcess = "values" | "nesting";

const [comma, quote, backslash] = [0x2c, 0x22, 0x5c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
const space = 0x20;

/**
 * Looks through a JSON text for more values or deeper nesting than a limit, before anything is built
 * from it. Ends where a limit is exceeded. The text need not be valid: a parser gets no further in an
 * invalid one.
 */
export function findJsonExcess(
  json: Uint8Array,
  maxValues: number,
  maxLevels: number,
): JsonExcess | undefined {
  let values = 0;
  let level = 0;
  // Whether a value may begin here that has not been counted; keys are counted with their values.
  let isFirst = true;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] ?? 0;
    if (byte <= space) {
      continue;
    }
    if (byte === closeList || byte === closeObject) {
      level--;
      isFirst = false;
      continue;
    }
    if (byte === comma || isFirst) {
      isFirst = false;
      if (++values > maxValues) {
        return "values";
      }
    }
    if (byte === openList || byte === openObject) {
      isFirst = true;
      if (++level > maxLevels) {
        return "nesting";
      }
    } else if (byte === quote) {
      at = endOfString(json, at);
    }
  }
  return undefined;
}

/** The place of the quote that ends the string that begins at a place. */
function endOfString(json: Uint8Array, start: number): number {
  for (let end = json.indexOf(quote, start + 1); end !== -1; end = json.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (json[end - 1 - escapes] === backslash) {
      escapes++;
    }
    if (escapes % 2 === 0) {
      return end;
    }
  }
  return json.length;
}
