/*
 * What Istio and Kubernetes cannot hold of a plugin: the limits of the WasmPlugin definition, of
 * Istio's webhook, and of Kubernetes names, as far as the catalog does not have them itself.
 * https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/
 */
import { EnvValueSource } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import type { WasmPlugin } from "../../../gen/wasmext/v1/wasm_plugin_pb.ts";
import type { Precondition } from "../../catalog/errors.ts";
import { excerpt } from "../../catalog/field-problem.ts";
import { segment } from "../../catalog/fqn.ts";
import { isGoUrl } from "./go-url.ts";

const max = {
  variables: 256,
  variableName: 256,
  variableValue: 2048,
  labels: 4096,
  dnsSubdomain: 253,
  /** What etcd takes in one request by default, in bytes; Kubernetes keeps its objects there. */
  objectBytes: 1.5 * 1024 * 1024,
} as const;

const namespacePattern = new RegExp(`^${segment}$`);
const labelName = /^[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/**
 * Finds what Istio or Kubernetes cannot hold of a plugin, with the object that is at fault.
 *
 * @param bytes - the size of the manifest in JSON
 */
export function problemsOfPlugin(
  plugin: WasmPlugin,
  { target, extension, bytes }: { target: string; extension: string; bytes: number },
): Precondition[] {
  return [
    ...problemsOfPlace(plugin).map((description) => ({ subject: target, description })),
    ...problemsOfModule(plugin, bytes).map((description) => ({ subject: extension, description })),
  ];
}

/** Finds what is wrong with where a target's plugins go, in fields of its attachment set. */
function problemsOfPlace({ metadata, spec }: WasmPlugin): string[] {
  const namespace = metadata?.namespace ?? "";
  const labels = Object.entries(spec?.selector?.matchLabels ?? {});
  return [
    ...problemsIf(
      namespace === "",
      "workload_selector.namespace is not set; set it to the Kubernetes namespace of the workloads",
    ),
    ...problemsIf(
      namespace !== "" && !namespacePattern.test(namespace),
      `workload_selector.namespace ${excerpt(namespace)} is no Kubernetes namespace; write 1 to 63 lower-case letters, digits and hyphens`,
    ),
    ...problemsIf(
      labels.length > max.labels,
      `workload_selector.labels has ${labels.length} labels, and Istio holds ${max.labels}; select by fewer`,
    ),
    ...labels.flatMap(([key, value]) => [
      ...problemsIf(
        !isLabelKey(key),
        `workload_selector.labels has the key ${excerpt(key)}, which no Kubernetes label has; write [prefix/]name, the name of at most 63 letters, digits, '-', '_' and '.'`,
      ),
      ...problemsIf(
        value !== "" && !labelName.test(value),
        `workload_selector.labels[${excerpt(key)}] is ${excerpt(value)}, which no Kubernetes label is; write at most 63 letters, digits, '-', '_' and '.'`,
      ),
    ]),
  ];
}

/** Finds what is wrong with what a plugin runs, in fields of its extension. */
function problemsOfModule(plugin: WasmPlugin, bytes: number): string[] {
  const { url = "", imagePullSecret = "", vmConfig } = plugin.spec ?? {};
  const env = vmConfig?.env ?? [];
  return [
    ...problemsOfUrl(url),
    ...problemsIf(
      imagePullSecret !== "" && !isDnsSubdomain(imagePullSecret),
      `image_pull_secret ${excerpt(imagePullSecret)} is no name of a Kubernetes secret; write at most ${max.dnsSubdomain} lower-case letters, digits, '-' and '.'`,
    ),
    ...problemsIf(
      env.length > max.variables,
      `vm_config.env has ${env.length} variables, and Istio holds ${max.variables}; use fewer, or put them into config`,
    ),
    ...env.flatMap(({ name, value, valueFrom }, index) => [
      ...problemsIf(
        name.length > max.variableName,
        `vm_config.env[${index}].name has ${name.length} characters, and Istio holds ${max.variableName}; use a shorter name`,
      ),
      ...problemsIf(
        valueFrom === EnvValueSource.INLINE && lengthOf(value) > max.variableValue,
        `vm_config.env[${index}].value, of ${excerpt(name)}, has ${lengthOf(value)} characters, and Istio holds ${max.variableValue}; shorten it, or put it into config`,
      ),
    ]),
    ...problemsIf(
      bytes > max.objectBytes,
      `makes an object of ${bytes} bytes, and Kubernetes stores ${max.objectBytes}; shorten config`,
    ),
  ];
}

function problemsOfUrl(url: string): string[] {
  if (url.startsWith("oci://") && !isGoUrl(url)) {
    return [
      `url ${excerpt(url)} has no registry host before its tag or digest, and Istio cannot read it; write it, such as oci://docker.io/library/name:tag`,
    ];
  }
  // Istio takes what stands behind file:// for the name of the file as it is.
  if (url.startsWith("file://") && !/^file:\/\/\/[^?#%]+$/.test(url)) {
    return [
      `url ${excerpt(url)} is more than a path, and Istio takes all of it for one; write file:///path/module.wasm`,
    ];
  }
  return problemsIf(
    !isGoUrl(url),
    `url ${excerpt(url)} cannot be read by Istio; percent-encode what is not plain`,
  );
}

function problemsIf(isWrong: boolean, description: string): string[] {
  return isWrong ? [description] : [];
}

function isLabelKey(key: string): boolean {
  const [name = "", prefix, ...more] = key.split("/").toReversed();
  return (
    more.length === 0 && labelName.test(name) && (prefix === undefined || isDnsSubdomain(prefix))
  );
}

function isDnsSubdomain(text: string): boolean {
  return text.length <= max.dnsSubdomain && dnsSubdomain.test(text);
}

/** Characters as Kubernetes counts them: code points. */
function lengthOf(text: string): number {
  return text.length <= max.variableValue ? text.length : Array.from(text).length;
}
