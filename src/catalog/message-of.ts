/** The message of an error; for a failed fetch, that of its cause. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const { message, cause } = error;
  // The name resolves to several addresses, each of which has an error.
  const [inner = cause] = cause instanceof AggregateError ? (cause.errors as unknown[]) : [];
  return inner instanceof Error && message === "fetch failed" ? inner.message : message;
}
