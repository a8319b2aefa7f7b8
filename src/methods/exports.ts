import {
  ExportIstioRequestSchema,
  ExportIstioResponseSchema,
  type ExportService,
} from "../../gen/wasmext/v1/export_service_pb.ts";
import { inTurns } from "../catalog/state/turns.ts";
import { validated } from "../catalog/rules/validate.ts";
import { exportIstio } from "../export/istio/export-istio.ts";
import { messageAnswer } from "./answer.ts";
import type { ServiceMethods } from "./method.ts";

/** The service `wasmext.v1.ExportService`. */
export const exports: ServiceMethods<typeof ExportService> = {
  exportIstio: {
    accept: (request) => validated(ExportIstioRequestSchema, request),
    access: { permission: "READ", resource: ({ parent }) => parent },
    async handle({ parent }, { reader, signal }) {
      const { state, turns } = reader;
      const wasmPlugins = await inTurns(exportIstio(state, parent), turns, signal);
      return messageAnswer(ExportIstioResponseSchema, { wasmPlugins, revision: state.revision });
    },
  },
};
