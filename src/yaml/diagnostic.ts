/** A place in a file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What is wrong at a place in a file. */
export interface Diagnostic extends Position {
  /** The path of the field, `spec.vmConfig.env[0].name`; empty if the diagnostic is not about a field. */
  readonly field: string;
  /** What is wrong, and the remedy. */
  readonly message: string;
}

/** A step into a document: a key of a mapping, or an index of a sequence. */
export type Step = string | number;

/** Writes a path as people do: `spec.vmConfig.env[0].name`. */
export function formatSteps(path: readonly Step[]): string {
  return path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
    .join("")
    .replace(/^\./, "");
}

/** Writes a diagnostic as compilers do: `FILE:LINE:COLUMN: FIELD: MESSAGE`. */
export function formatDiagnostic({ file, line, column, field, message }: Diagnostic): string {
  return `${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message}`;
}
