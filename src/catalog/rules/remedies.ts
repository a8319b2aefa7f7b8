import type { DescField } from "@bufbuild/protobuf";

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
