import { excerpt } from "../names/excerpt.ts";

/** Deepest nesting of a Struct: the Struct itself is level 1, each object or list in it one more. */
export const maxStructLevels = 64;

/** How many values the Structs of a message may hold, all together. */
export const maxStructValues = 20_000;

/** Counts the values in the Structs of a message. */
export interface SeenValues {
  /** The values that have been seen so far. With too many, the search ends. */
  structValues: number;
}

/** What is wrong with a value of a Struct. */
interface JsonProblem {
  /** The way to the value from the one that was asked about, such as `.list[0]`. */
  readonly where: string;
  /** Says what is wrong, and where. */
  readonly text: (where: string) => string;
}

/** Says why a value has no JSON form that a plugin could read; undefined if it has one. */
export function problemOfJson(value: unknown, seen: SeenValues): string | undefined {
  const problem = problemIn(value, 1, seen);
  return problem?.text(excerpt(`$${problem.where}`));
}

function problemIn(value: unknown, level: number, seen: SeenValues): JsonProblem | undefined {
  if (++seen.structValues > maxStructValues) {
    return undefined;
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    return problemHere(
      (at) =>
        `holds ${value} at ${at}, which JSON cannot express; send a finite number or a string`,
    );
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    return problemHere(
      (at) =>
        `holds a string at ${at} that is not well-formed Unicode; remove the unpaired surrogates`,
    );
  }
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  if (level > maxStructLevels) {
    return problemHere(() => `nests deeper than ${maxStructLevels} levels; flatten it`);
  }
  return Array.isArray(value)
    ? problemOfItems(value, level, seen)
    : problemOfEntries(value as Readonly<Record<string, unknown>>, level, seen);
}

function problemHere(text: JsonProblem["text"]): JsonProblem {
  return { where: "", text };
}

function problemOfItems(
  items: readonly unknown[],
  level: number,
  seen: SeenValues,
): JsonProblem | undefined {
  for (let index = 0; index < items.length; index++) {
    const problem = problemIn(items[index], level + 1, seen);
    if (problem !== undefined) {
      return { ...problem, where: `[${index}]${problem.where}` };
    }
  }
  return undefined;
}

function problemOfEntries(
  entries: Readonly<Record<string, unknown>>,
  level: number,
  seen: SeenValues,
): JsonProblem | undefined {
  for (const key of Object.keys(entries)) {
    if (!key.isWellFormed()) {
      return problemHere(
        (at) =>
          `holds a key under ${at} that is not well-formed Unicode; remove the unpaired surrogates`,
      );
    }
    const problem = problemIn(entries[key], level + 1, seen);
    if (problem !== undefined) {
      return { ...problem, where: `.${key}${problem.where}` };
    }
  }
  return undefined;
}
