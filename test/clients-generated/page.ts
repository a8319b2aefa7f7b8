/** A step of a part of the page: a file to write, or commands to run with what they print. */
export type Step =
  | { readonly kind: "file"; readonly path: string; readonly text: string }
  | { readonly kind: "commands"; readonly text: string; readonly output: string };

const block = /^(?:`(?<path>[^`\n]+)`:\n\n)?```(?<language>\w+)\n(?<text>.*?)^```$/gms;

/**
 * The steps of a part, in the order of the page. A block below a line with its path is a file, a block of
 * `sh` holds commands, and the block of `text` that follows it what they print.
 */
export function stepsOf(page: string, title: string): Step[] {
  const part = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? "";
  const blocks = [...part.matchAll(block)].map(({ groups }) => ({
    path: groups?.["path"],
    language: groups?.["language"],
    text: groups?.["text"] ?? "",
  }));
  return blocks.flatMap(({ path, language, text }, index): Step[] => {
    if (path !== undefined) {
      return [{ kind: "file", path, text }];
    }
    const next = blocks[index + 1];
    const output = next?.language === "text" ? next.text : "";
    return language === "sh" ? [{ kind: "commands", text, output }] : [];
  });
}
