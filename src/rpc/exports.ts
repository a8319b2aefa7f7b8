import type { ServiceImpl } from "@connectrpc/connect";
import {
  ExportIstioRequestSchema,
  type ExportService,
} from "../../gen/wasmext/v1/export_service_pb.ts";
import { validated } from "../catalog/validate.ts";
import { exportIstio } from "../export/istio/export-istio.ts";
import type { Catalog } from "./catalog.ts";

/** The service `wasmext.v1.ExportService` over a catalog. */
export function exportService({ store }: Catalog): ServiceImpl<typeof ExportService> {
  return {
    exportIstio(request) {
      const { parent } = validated(ExportIstioRequestSchema, request);
      const { state } = store;
      return { wasmPlugins: exportIstio(state, parent), revision: state.revision };
    },
  };
}
