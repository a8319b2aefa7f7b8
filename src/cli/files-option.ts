/** Parses `-f FILE`, one after the other. */
export function filesArgument(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
