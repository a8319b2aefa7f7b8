import type { DescField } from "@bufbuild/protobuf";
import { type NameKind, nameForms } from "../names/forms.ts";

const documented = "tetrateio.api.tsb";

/** The fields that hold names, by their full name. */
export const namedFields: ReadonlyMap<string, NameKind> = new Map([
  [`${documented}.extension.v2.CreateWasmExtensionRequest.parent`, "organization"],
  [`${documented}.extension.v2.CreateWasmExtensionRequest.name`, "name"],
  [`${documented}.extension.v2.GetWasmExtensionRequest.fqn`, "extension"],
  [`${documented}.extension.v2.DeleteWasmExtensionRequest.fqn`, "extension"],
  [`${documented}.extension.v2.ListWasmExtensionRequest.parent`, "organization"],
  [`${documented}.v2.ListTenantExtensionsRequest.parent`, "tenant"],
  ["wasmext.v1.AttachmentSet.fqn", "target"],
  ["wasmext.v1.GetAttachmentsRequest.fqn", "target"],
  ["wasmext.v1.DeleteAttachmentsRequest.fqn", "target"],
  ["wasmext.v1.ListAttachmentsRequest.parent", "parent"],
  ["wasmext.v1.ExportIstioRequest.parent", "exportable"],
  ["wasmext.v1.ResolveChainRequest.target", "target"],
  ["wasmext.v1.WatchChainRequest.target", "target"],
  ["wasmext.v1.WatchRequest.parent", "watchable"],
]);

/** The remedies for other fields with a pattern, by full name and by the place in a map. */
const remedies = new Map<string, string>([
  [
    `${documented}.extension.v2.EnvVar.name`,
    "write a C identifier: letters, digits and _, not beginning with a digit",
  ],
  [
    `${documented}.extension.v2.WasmExtension.url`,
    "write a url that begins with oci://, http://, https:// or file://",
  ],
  [
    "wasmext.v1.WorkloadSelector.namespace",
    `write a Kubernetes namespace: ${nameForms.name.wording}`,
  ],
  [
    "wasmext.v1.WorkloadSelector.labels map_key",
    "write [prefix/]name: at most 63 letters, digits, '-', '_' and '.' with a letter or digit at both ends, and as prefix a DNS name in lower case of at most 253 characters",
  ],
  [
    "wasmext.v1.WorkloadSelector.labels map_value",
    "write at most 63 letters, digits, '-', '_' and '.' with a letter or digit at both ends, or nothing",
  ],
]);

/** The places of a field's values, each of which can have its own pattern. */
export type Place = "value" | "map_key" | "map_value";

/** The remedy for a field with a pattern; undefined for other fields. */
export function remedyOf(field: DescField, place: Place = "value"): string | undefined {
  const name = `${field.parent.typeName}.${field.name}`;
  const kind = place === "value" ? namedFields.get(name) : undefined;
  if (kind !== undefined) {
    return `write ${nameForms[kind].wording}`;
  }
  return remedies.get(place === "value" ? name : `${name} ${place}`);
}
