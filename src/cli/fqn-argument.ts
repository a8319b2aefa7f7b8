import { InvalidArgumentError } from "commander";
import { isExtension, segment } from "../catalog/names/fqn.ts";
import { isTarget } from "../catalog/names/target.ts";

const organization = `organizations/${segment}`;
const tenant = `${organization}/tenants/${segment}`;
const workspace = `${tenant}/workspaces/${segment}`;
const group = `${workspace}/(?:gatewaygroups|securitygroups)/${segment}`;

const watchable = new RegExp(`^(?:${organization}|${tenant})$`);
const parent = new RegExp(`^(?:${organization}|${tenant}|${workspace}|${group})$`);

const forms = {
  extension: "organizations/{org}/extensions/{name}",
  target:
    "{workspace}/gatewaygroups/{group}/ingressgateways/{name}, {workspace}/gatewaygroups/{group}/egressgateways/{name} or {workspace}/securitygroups/{group}, where {workspace} is organizations/{org}/tenants/{tenant}/workspaces/{ws}",
  parent:
    "organizations/{org}, a tenant /tenants/{tenant} below it, a workspace /workspaces/{ws} below that, or a group of it",
  watchable: "organizations/{org} or organizations/{org}/tenants/{tenant}",
} as const;

/** Tells whether a watch can follow what is under an fqn. */
export function isWatchable(text: string): boolean {
  return watchable.test(text);
}

/** Parses the fqn of an extension. */
export function extensionArgument(text: string): string {
  return checked(text, isExtension(text), `It has to be ${forms.extension}.`);
}

/** Parses the fqns of targets, one after the other. */
export function targetsArgument(text: string, before: readonly string[] = []): string[] {
  return [...before, targetArgument(text)];
}

/** Parses the fqn of a target. */
export function targetArgument(text: string): string {
  return checked(text, isTarget(text), `It has to be ${forms.target}.`);
}

/** Parses the fqns of objects, one after the other: extensions, and targets for what they attach. */
export function objectsArgument(text: string, before: readonly string[] = []): string[] {
  const isObject = isExtension(text) || isTarget(text);
  return [
    ...before,
    checked(text, isObject, `It has to be ${forms.extension}, or a target: ${forms.target}.`),
  ];
}

/** Parses the fqn of an organization or a tenant. */
export function watchableArgument(text: string): string {
  return checked(text, isWatchable(text), `It has to be ${forms.watchable}.`);
}

/** Parses the fqn of what objects can be under. */
export function parentArgument(text: string): string {
  return checked(text, parent.test(text), `It has to be ${forms.parent}.`);
}

/** Parses the fqn of a target, or of what targets can be under. */
export function parentOrTargetArgument(text: string): string {
  const isOne = parent.test(text) || isTarget(text);
  return checked(text, isOne, `It has to be a target, or ${forms.parent}.`);
}

/** Parses the fqn of an object, or of what objects can be under. */
export function anyArgument(text: string): string {
  const isOne = parent.test(text) || isTarget(text) || isExtension(text);
  return checked(text, isOne, `It has to be an extension, a target, or ${forms.parent}.`);
}

function checked(text: string, isRight: boolean, remedy: string): string {
  if (!isRight) {
    throw new InvalidArgumentError(remedy);
  }
  return text;
}
