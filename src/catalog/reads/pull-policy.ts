import {
  type WasmExtension,
  WasmExtension_PullPolicy as PullPolicy,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { sha256InUrl } from "../names/module-url.ts";
import { parseOciReference } from "../names/oci-reference.ts";

const ociScheme = "oci://";

/**
 * When proxies fetch a module: once if the url has a digest or a sha256, since its content never changes; else by
 * the policy that is set; else always for an OCI image with the tag `latest` or with no tag, and once
 * for everything else.
 */
export function effectivePullPolicy({ url, imagePullPolicy }: WasmExtension): PullPolicy {
  const image = url.startsWith(ociScheme)
    ? parseOciReference(url.slice(ociScheme.length))
    : undefined;
  if (image?.digest !== undefined || sha256InUrl(url) !== undefined) {
    return PullPolicy.IfNotPresent;
  }
  if (imagePullPolicy !== PullPolicy.UNSPECIFIED_POLICY) {
    return imagePullPolicy;
  }
  return image !== undefined && (image.tag ?? "latest") === "latest"
    ? PullPolicy.Always
    : PullPolicy.IfNotPresent;
}
