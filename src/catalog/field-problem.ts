import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { type Path, pathToString } from "@bufbuild/protobuf/reflect";
import { Violation } from "@bufbuild/protovalidate";
import type { FieldProblem } from "./errors.ts";

/** Longest excerpt of a value in an error text, in characters. */
const maxExcerpt = 80;
/** Longest authority of a url that is searched for credentials, in characters. */
const maxAuthority = 4096;

const names = {
  organization: "write organizations/{org}",
  tenant: "write organizations/{org}/tenants/{tenant}",
  extension: "write organizations/{org}/extensions/{name}",
  target:
    "write {workspace}/gatewaygroups/{group}/ingressgateways/{name}, {workspace}/gatewaygroups/{group}/egressgateways/{name} or {workspace}/securitygroups/{group}, where {workspace} is organizations/{org}/tenants/{tenant}/workspaces/{ws}",
} as const;

const documented = "tetrateio.api.tsb";

/** What to write where a field has a pattern, by its full name, and by the place in a map. */
const remedies = new Map<string, string>([
  [
    `${documented}.extension.v2.EnvVar.name`,
    "write a C identifier: letters, digits and _, not beginning with a digit",
  ],
  [
    `${documented}.extension.v2.WasmExtension.url`,
    "write a url that begins with oci://, http://, https:// or file://",
  ],
  [`${documented}.extension.v2.CreateWasmExtensionRequest.parent`, names.organization],
  [
    `${documented}.extension.v2.CreateWasmExtensionRequest.name`,
    "write 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end",
  ],
  [`${documented}.extension.v2.GetWasmExtensionRequest.fqn`, names.extension],
  [`${documented}.extension.v2.DeleteWasmExtensionRequest.fqn`, names.extension],
  [`${documented}.extension.v2.ListWasmExtensionRequest.parent`, names.organization],
  [`${documented}.v2.ListTenantExtensionsRequest.parent`, names.tenant],
  ["wasmext.v1.AttachmentSet.fqn", names.target],
  [
    "wasmext.v1.WorkloadSelector.namespace",
    "write a Kubernetes namespace: 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end",
  ],
  [
    "wasmext.v1.WorkloadSelector.labels map_key",
    "write [prefix/]name: at most 63 letters, digits, '-', '_' and '.' with a letter or digit at both ends, and as prefix a DNS name in lower case of at most 253 characters",
  ],
  [
    "wasmext.v1.WorkloadSelector.labels map_value",
    "write at most 63 letters, digits, '-', '_' and '.' with a letter or digit at both ends, or nothing",
  ],
  ["wasmext.v1.GetAttachmentsRequest.fqn", names.target],
  ["wasmext.v1.DeleteAttachmentsRequest.fqn", names.target],
  [
    "wasmext.v1.ListAttachmentsRequest.parent",
    "write the fqn of an organization, a tenant, a workspace, a gateway group or a security group",
  ],
  [
    "wasmext.v1.ExportIstioRequest.parent",
    "write the fqn of a target, or of an organization, a tenant, a workspace or a gateway group",
  ],
  ["wasmext.v1.ResolveChainRequest.target", names.target],
  ["wasmext.v1.WatchChainRequest.target", names.target],
  ["wasmext.v1.WatchRequest.parent", `${names.organization} or ${names.tenant.slice(6)}`],
]);

/** The places in which a field's values can stand, each with a pattern of its own. */
export type Place = "value" | "map_key" | "map_value";

/** What to write where a field has a pattern; undefined where it has none. */
export function remedyOf(field: DescField, place: Place = "value"): string | undefined {
  const name = `${field.parent.typeName}.${field.name}`;
  return remedies.get(place === "value" ? name : `${name} ${place}`);
}

/** States a rule that the proto cannot say as a problem of a field. */
export function fieldProblem(path: Path, ruleId: string, description: string): FieldProblem {
  const shown = withShortKeys(path);
  return {
    field: pathToString(shown),
    description,
    violation: new Violation(description, `wasmext.${ruleId}`, shown, [], false),
  };
}

/** States what protovalidate found as a problem of a field, with the value and a remedy. */
export function fieldProblemOf(
  violation: Violation,
  schema: DescMessage,
  message: Message,
): FieldProblem {
  const { message: text, ruleId, rule, forKey } = violation;
  const path = withShortKeys(violation.field);
  return {
    field: path.length === 0 ? schema.name : pathToString(path),
    description: describe(violation, valueAt(message, violation.field)),
    violation: new Violation(text, ruleId, path, rule, forKey),
  };
}

/** A path up to the first key of a map that is too long to be shown. */
function withShortKeys(path: Path): Path {
  const end = path.findIndex(
    (step) => step.kind === "map_sub" && String(step.key).length > maxExcerpt,
  );
  return end < 0 ? path : path.slice(0, end);
}

/**
 * Quotes a value for an error text: cut to a length that people read, with what cannot be seen as
 * escapes, and without the user and password of a url.
 */
export function excerpt(value: string): string {
  const shown = withoutCredentials(value);
  const cut = shown.length > maxExcerpt ? `${shown.slice(0, maxExcerpt)}…` : shown;
  return JSON.stringify(cut.toWellFormed()).replaceAll(
    /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A url without user and password: errors are logged, and seen by more than may know those. */
function withoutCredentials(value: string): string {
  const start = value.lastIndexOf("://") + "://".length;
  const [authority = ""] = /^[^/?#\s]*/.exec(value.slice(start, start + maxAuthority)) ?? [];
  const at = authority.lastIndexOf("@");
  const isDigest = /^@sha\d+[:=-]/.test(authority.slice(at));
  return start < "://".length || at < 0 || isDigest
    ? value
    : `${value.slice(0, start)}…${value.slice(start + at)}`;
}

function describe({ ruleId, message, field: path, forKey }: Violation, value: unknown): string {
  const last = path.at(-1);
  const field = last?.kind === "map_sub" ? path.at(-2) : last;
  const place = last?.kind !== "map_sub" ? "value" : forKey ? "map_key" : "map_value";
  const remedy = field?.kind === "field" ? remedyOf(field, place) : undefined;
  if (last?.kind === "map_sub" && forKey) {
    return `has the key ${excerpt(String(last.key))}, which is not valid; ${remedy ?? message}`;
  }
  if (ruleId === "required" || value === "") {
    return `is required; ${remedy ?? "set it"}`;
  }
  if (ruleId === "string.pattern" && typeof value === "string") {
    return `${excerpt(value)} is not valid; ${remedy ?? message}`;
  }
  return typeof value === "number" ? `${value} is not valid; it ${message}` : message;
}

/** The value at a path of fields, list items and map entries; undefined where the path leads elsewhere. */
function valueAt(message: Message, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    if (typeof value !== "object" || value === null) {
      return undefined;
    }
    const holder = value as Record<string | number, unknown>;
    switch (step.kind) {
      case "field":
        return holder[step.localName];
      case "list_sub":
        return holder[step.index];
      case "map_sub":
        return holder[String(step.key)];
      default:
        return undefined;
    }
  }, message);
}
