/* What templates, shells and build tools write for a value that is still to come. */
import { excerpt } from "./excerpt.ts";

/** Those that no url holds on purpose: there, a brace has to be percent-encoded. */
const templatePattern = /\{\{[^{}]{0,200}\}\}|\$\{[^{}]{0,200}\}/;
/** Those that an image reference cannot hold either. */
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
    : `holds ${excerpt(variable)}, which nothing has replaced; write the value that it stands for`;
}
