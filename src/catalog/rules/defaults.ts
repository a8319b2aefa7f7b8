import type { WasmExtension } from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { withScheme } from "../names/module-url.ts";

/**
 * An extension with its url completed: an empty url is taken from the deprecated image, and a location
 * without a scheme gets `oci://`. The image is kept. The copy is shallow, since a deep copy would walk
 * values that have not been validated.
 */
export function withDefaults(extension: WasmExtension): WasmExtension {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- honouring it is the point
  const { url, image } = extension;
  return { ...extension, url: withScheme(url === "" ? image : url) };
}
