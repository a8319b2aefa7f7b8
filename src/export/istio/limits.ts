/*
 * The limits of Istio and Kubernetes for a plugin that the catalog does not have itself: those of the
 * WasmPlugin definition, of Istio's webhook, and of Kubernetes names.
 * https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/
 */
import { create } from "@bufbuild/protobuf";
import { EnvValueSource } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { WorkloadSelectorSchema } from "../../../gen/wasmext/v1/attachment_set_pb.ts";
import type { WasmPlugin } from "../../../gen/wasmext/v1/wasm_plugin_pb.ts";
import type { Precondition } from "../../catalog/errors.ts";
import { excerpt } from "../../catalog/names/excerpt.ts";
import { type OciReference, parseOciReference } from "../../catalog/names/oci-reference.ts";
import { isWorkloadSelector, maxSubdomain } from "../../catalog/rules/workload-selector.ts";
import { isGoUrl } from "./go-url.ts";
import { problemsOfTexts } from "./readable-text.ts";
import type { StoredSize } from "./stored-size.ts";

const max = {
  variables: 256,
  variableName: 256,
  variableValue: 2048,
  labels: 4096,
  /** What etcd takes in one request by default, in bytes; Kubernetes keeps its objects there. */
  objectBytes: 1.5 * 1024 * 1024,
  /** What the server adds to an object, and the request around it, take at most, in bytes. */
  addedBytes: 4 * 1024,
  /** The number of texts of a configuration that are named. */
  texts: 20,
} as const;

const dnsSubdomain = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/** Where a plugin comes from. */
export interface PluginOrigin {
  /** The fqn of its target. */
  readonly target: string;
  /** The fqn of its extension. */
  readonly extension: string;
  /** The object that has its configuration, and the field. */
  readonly config: { readonly subject: string; readonly field: string };
  /** How much it takes in Kubernetes. */
  readonly size: StoredSize;
}

/** Finds what Istio or Kubernetes cannot hold of a plugin, with the object that is at fault. */
export function problemsOfPlugin(plugin: WasmPlugin, origin: PluginOrigin): Precondition[] {
  const { target, extension, config } = origin;
  return [
    ...problemsOfPlace(plugin).map((description) => ({ subject: target, description })),
    ...problemsOfModule(plugin).map((description) => ({ subject: extension, description })),
    ...problemsOfConfig(plugin, origin).map((description) => ({
      subject: config.subject,
      description,
    })),
  ];
}

/** Finds what is wrong with where a target's plugins go, in fields of its attachment set. */
function problemsOfPlace({ metadata, spec }: WasmPlugin): string[] {
  const namespace = metadata?.namespace ?? "";
  const labels = spec?.selector?.matchLabels ?? {};
  const count = Object.keys(labels).length;
  return [
    ...problemsIf(
      namespace === "",
      "workload_selector.namespace is not set; set it to the Kubernetes namespace of the workloads",
    ),
    ...problemsIf(
      count > max.labels,
      `workload_selector.labels has ${count} labels, and Istio holds ${max.labels}; select by fewer`,
    ),
    ...problemsIf(
      !isWorkloadSelector(create(WorkloadSelectorSchema, { namespace, labels })),
      "workload_selector is not one that Kubernetes can have; write it anew with SetAttachments",
    ),
  ];
}

/** Finds what is wrong with the module of a plugin, in fields of its extension. */
function problemsOfModule({ spec }: WasmPlugin): string[] {
  const { url = "", imagePullSecret = "", vmConfig } = spec ?? {};
  const env = vmConfig?.env ?? [];
  return [
    ...problemsOfUrl(url),
    ...problemsIf(
      imagePullSecret !== "" && !isDnsSubdomain(imagePullSecret),
      `image_pull_secret ${excerpt(imagePullSecret)} is not a valid name of a Kubernetes secret; write at most ${maxSubdomain} lower-case letters, digits, '-' and '.'`,
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
      ...problemsOfTexts(value, `vm_config.env[${index}].value`),
    ]),
  ];
}

/** Finds what is wrong with the configuration, and with the size, most of which comes from it. */
function problemsOfConfig({ spec }: WasmPlugin, { config, size }: PluginOrigin): string[] {
  const bytes = size.manifest + size.managedFields + max.addedBytes;
  return [
    ...problemsOfTexts(spec?.pluginConfig ?? {}, config.field).take(max.texts),
    ...problemsIf(
      bytes > max.objectBytes,
      `makes an object of ${bytes} bytes in Kubernetes, ${size.managedFields} of them for the names of its fields, which server-side apply keeps a second time, and at most ${max.objectBytes} are stored; shorten ${config.field}, or give it fewer keys`,
    ),
  ];
}

function problemsOfUrl(url: string): string[] {
  const problem = problemOfUrl(url);
  return [
    ...problemsIf(problem !== undefined, `url ${excerpt(url)} ${problem ?? ""}`),
    ...problemsOfTexts(url, "url"),
  ];
}

function problemOfUrl(url: string): string | undefined {
  if (url.startsWith("oci://")) {
    return isGoUrl(url)
      ? problemOfImage(parseOciReference(url.slice("oci://".length)))
      : "has no registry host before its tag or digest, and Istio cannot read it; write it, such as oci://docker.io/library/name:tag";
  }
  // Istio uses everything after file:// as the name of the file.
  if (url.startsWith("file://") && !/^file:\/\/\/[^?#%]+$/.test(url)) {
    return "is more than a path, and Istio takes all of it for one; write file:///path/module.wasm";
  }
  return isGoUrl(url) ? undefined : "cannot be read by Istio; percent-encode what is not plain";
}

/** Finds references that Istio's agent reads differently from the grammar, or not at all. */
function problemOfImage(image: OciReference | undefined): string | undefined {
  const { host, repository = "", digest } = image ?? {};
  if (digest !== undefined && !digest.startsWith("sha256:")) {
    return "has a digest that is not sha256, and Istio's agent reads no other; write @sha256: and its 64 hex digits";
  }
  if (host !== undefined && !/[.:]/.test(host)) {
    return `has the host ${excerpt(host)}, which Istio's agent takes for a part of the repository; write one with a dot or a port`;
  }
  // The agent reads any first component with a dot as a host, even my_host.io.
  const name = repository.slice(
    host === undefined && /^[^/]*\./.test(repository) ? repository.indexOf("/") + 1 : 0,
  );
  return name.length < 2
    ? `has the repository ${excerpt(name)}, and Istio's agent reads none of one character; push it under a longer name`
    : undefined;
}

function problemsIf(isWrong: boolean, description: string): string[] {
  return isWrong ? [description] : [];
}

function isDnsSubdomain(text: string): boolean {
  return text.length <= maxSubdomain && dnsSubdomain.test(text);
}

/** Characters as Kubernetes counts them: code points. */
function lengthOf(text: string): number {
  return text.length <= max.variableValue ? text.length : Array.from(text).length;
}
