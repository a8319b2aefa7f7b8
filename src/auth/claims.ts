/** The claims of a token. */
export type Claims = Readonly<Record<string, unknown>>;

/** Tells whether a value is an object of JSON. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The strings of a claim, which is a string or a list of strings; none if the claim is missing or of another
 * type.
 *
 * @param path - the names that lead to the claim, from the outermost
 */
export function textsOfClaim(claims: Claims, path: readonly string[]): string[] {
  let value: unknown = claims;
  for (const name of path) {
    value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((text) => typeof text === "string");
}
