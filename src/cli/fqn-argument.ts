import { InvalidArgumentError } from "commander";
import { isNameOf, type NameKind, nameForms } from "../catalog/names/forms.ts";

/** Parses the fqn of an extension. */
export function extensionArgument(text: string): string {
  return checked(text, "extension");
}

/** Parses the fqns of targets, one after the other. */
export function targetsArgument(text: string, before: readonly string[] = []): string[] {
  return [...before, targetArgument(text)];
}

/** Parses the fqn of a target. */
export function targetArgument(text: string): string {
  return checked(text, "target");
}

/** Parses the fqns of objects, one after the other: extensions, and targets for what they attach. */
export function objectsArgument(text: string, before: readonly string[] = []): string[] {
  return [...before, objectArgument(text)];
}

/** Parses the fqn of an extension or a target. */
export function objectArgument(text: string): string {
  return checked(text, "extension", "target");
}

/** Parses the fqn of an organization or a tenant. */
export function watchableArgument(text: string): string {
  return checked(text, "watchable");
}

/** Parses the fqn of what objects can be under. */
export function parentArgument(text: string): string {
  return checked(text, "parent");
}

/** Parses the fqn of a target, or of what targets can be under. */
export function parentOrTargetArgument(text: string): string {
  return checked(text, "exportable");
}

/** Parses the fqn of an object, or of what objects can be under. */
export function anyArgument(text: string): string {
  return checked(text, "extension", "exportable");
}

function checked(text: string, ...kinds: readonly NameKind[]): string {
  if (!kinds.some((kind) => isNameOf(kind, text))) {
    const forms = kinds.map((kind) => nameForms[kind].wording).join("; or ");
    throw new InvalidArgumentError(`It has to be ${forms}.`);
  }
  return text;
}
