import {
  createRegistry,
  type DescField,
  type DescFile,
  type DescMessage,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { file_tetrateio_api_tsb_extension_v2_wasm_extension } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_extension_pb.ts";
import { file_tetrateio_api_tsb_extension_v2_wasm_service } from "../../gen/tetrateio/api/tsb/extension/v2/wasm_service_pb.ts";
import { file_tetrateio_api_tsb_types_v2_types } from "../../gen/tetrateio/api/tsb/types/v2/types_pb.ts";
import { file_tetrateio_api_tsb_v2_tenant_service } from "../../gen/tetrateio/api/tsb/v2/tenant_service_pb.ts";
import { file_wasmext_v1_attachment_service } from "../../gen/wasmext/v1/attachment_service_pb.ts";
import { file_wasmext_v1_attachment_set } from "../../gen/wasmext/v1/attachment_set_pb.ts";
import { file_wasmext_v1_chain } from "../../gen/wasmext/v1/chain_pb.ts";
import { file_wasmext_v1_chain_service } from "../../gen/wasmext/v1/chain_service_pb.ts";
import { file_wasmext_v1_export_service } from "../../gen/wasmext/v1/export_service_pb.ts";
import { file_wasmext_v1_wasm_plugin } from "../../gen/wasmext/v1/wasm_plugin_pb.ts";
import { file_wasmext_v1_watch_service } from "../../gen/wasmext/v1/watch_service_pb.ts";

/** The files of the API. */
export const apiFiles: readonly DescFile[] = [
  file_tetrateio_api_tsb_extension_v2_wasm_extension,
  file_tetrateio_api_tsb_extension_v2_wasm_service,
  file_tetrateio_api_tsb_types_v2_types,
  file_tetrateio_api_tsb_v2_tenant_service,
  file_wasmext_v1_attachment_service,
  file_wasmext_v1_attachment_set,
  file_wasmext_v1_chain,
  file_wasmext_v1_chain_service,
  file_wasmext_v1_export_service,
  file_wasmext_v1_wasm_plugin,
  file_wasmext_v1_watch_service,
];

/** The messages of the API, nested ones too. */
export const apiMessages: readonly DescMessage[] = apiFiles.flatMap((file) =>
  [...nestedTypes(file)].filter((type): type is DescMessage => type.kind === "message"),
);

/** The fields of the API. */
export const apiFields: readonly DescField[] = apiMessages.flatMap(({ fields }) => fields);

/** Looks up types of the API by name. */
export const apiRegistry = createRegistry(...apiFiles);
