import type { ServiceImpl } from "@connectrpc/connect";
import {
  ExportIstioRequestSchema,
  type ExportService,
} from "../../gen/wasmext/v1/export_service_pb.ts";
import { inTurns } from "../catalog/turns.ts";
import { validated } from "../catalog/validate.ts";
import { exportIstio } from "../export/istio/export-istio.ts";
import type { Catalog } from "./catalog.ts";

/** The service `wasmext.v1.ExportService` over a catalog. */
export function exportService({ store }: Catalog): ServiceImpl<typeof ExportService> {
  return {
    async exportIstio(request, { signal }) {
      const { parent } = validated(ExportIstioRequestSchema, request);
      const { state } = store;
      return {
        wasmPlugins: await inTurns(exportIstio(state, parent), store.turns, signal),
        revision: state.revision,
      };
    },
  };
}
