/** A place in a file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a file, and where. */
export interface Problem extends Position {
  /** The path of the field, `spec.vmConfig.env[0].name`; empty where it is no field's. */
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

/** Writes a problem as compilers do: `FILE:LINE:COLUMN: FIELD: MESSAGE`. */
export function formatProblem({ file, line, column, field, message }: Problem): string {
  return `${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message}`;
}
