/* Variables of templates, shells and build tools, which have not been replaced. */
import { excerpt } from "./excerpt.ts";

/** Variables with braces, which a url has to percent-encode. */
const templatePattern = /\{\{[^{}]{0,200}\}\}|\$\{[^{}]{0,200}\}/;
/** Variables with other characters that an image reference cannot hold. */
const variablePattern =
  /#\{[^{}]{0,200}\}|\$\([^()]{0,200}\)|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%|@[A-Z_][A-Z0-9_]*@|<[\w .-]{1,200}>/;

/** Finds a variable of a template in a url. */
export function problemOfTemplate(url: string): string | undefined {
  return problemOf(templatePattern, url);
}

/** Finds a variable in what should be an image reference. */
export function problemOfVariable(reference: string): string | undefined {
  return problemOf(variablePattern, reference);
}

function problemOf(pattern: RegExp, text: string): string | undefined {
  const [variable] = pattern.exec(text) ?? [];
  return variable === undefined
    ? undefined
    : `holds the variable ${excerpt(variable)}; write its value`;
}
