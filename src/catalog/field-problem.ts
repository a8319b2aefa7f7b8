import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { type Path, pathToString } from "@bufbuild/protobuf/reflect";
import { Violation } from "@bufbuild/protovalidate";
import type { FieldProblem } from "./errors.ts";

/** Longest excerpt of a value in an error text, in characters. */
const maxExcerpt = 80;

const names = {
  organization: "write organizations/{org}",
  tenant: "write organizations/{org}/tenants/{tenant}",
  extension: "write organizations/{org}/extensions/{name}",
  target:
    "write {workspace}/gatewaygroups/{group}/ingressgateways/{name}, {workspace}/gatewaygroups/{group}/egressgateways/{name} or {workspace}/securitygroups/{group}, where {workspace} is organizations/{org}/tenants/{tenant}/workspaces/{ws}",
} as const;

const documented = "tetrateio.api.tsb";

/** What to write into the fields that have a pattern, by full name. */
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

/** What to write into a field that has a pattern; undefined for all others. */
export function remedyOf(field: DescField): string | undefined {
  return remedies.get(`${field.parent.typeName}.${field.name}`);
}

/** States a rule that the proto cannot say as a problem of a field. */
export function fieldProblem(path: Path, ruleId: string, description: string): FieldProblem {
  return {
    field: pathToString(path),
    description,
    violation: new Violation(description, `wasmext.${ruleId}`, path, [], false),
  };
}

/** States what protovalidate found as a problem of a field, with the value and a remedy. */
export function fieldProblemOf(
  violation: Violation,
  schema: DescMessage,
  message: Message,
): FieldProblem {
  return {
    field: violation.field.length === 0 ? schema.name : pathToString(violation.field),
    description: describe(violation, valueAt(message, violation.field)),
    violation,
  };
}

/** Quotes a value for an error text, cut to a length that people read. */
export function excerpt(value: string): string {
  const cut = value.length > maxExcerpt ? `${value.slice(0, maxExcerpt)}…` : value;
  return JSON.stringify(cut.toWellFormed());
}

function describe({ ruleId, message, field: path }: Violation, value: unknown): string {
  const last = path.at(-1);
  const remedy = last?.kind === "field" ? remedyOf(last) : undefined;
  if (ruleId === "required" || value === "") {
    return `is required; ${remedy ?? "set it"}`;
  }
  if (ruleId === "string.pattern" && typeof value === "string") {
    return `${excerpt(value)} is not valid; ${remedy ?? message}`;
  }
  return typeof value === "number" ? `${value} is not valid; it ${message}` : message;
}

/** The value at a path of fields and list items; undefined where the path leads elsewhere. */
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
      default:
        return undefined;
    }
  }, message);
}
