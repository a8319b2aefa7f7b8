import { create } from "@bufbuild/protobuf";
import {
  type WasmExtension,
  WasmExtensionSchema,
} from "../../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { withScheme } from "../names/module-url.ts";

/**
 * An extension with the url that it means: an empty url is taken from the deprecated image, and a
 * location without a scheme is an OCI image. The image stays as it is. What the extension holds is
 * shared with the result, since nothing has been validated yet that a deep copy could rely on.
 */
export function withDefaults(extension: WasmExtension): WasmExtension {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- honouring it is the point
  const { url, image } = extension;
  return Object.assign(create(WasmExtensionSchema), extension, {
    url: withScheme(url === "" ? image : url),
  });
}
