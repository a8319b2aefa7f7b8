import { setImmediate } from "node:timers/promises";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  ExportIstioRequestSchema,
  type ExportService,
} from "../../gen/wasmext/v1/export_service_pb.ts";
import { validated } from "../catalog/validate.ts";
import { exportIstio } from "../export/istio/export-istio.ts";
import type { Catalog } from "./catalog.ts";

/** How long an export works before it lets others run, in ms. */
const turnMs = 10;

/** The service `wasmext.v1.ExportService` over a catalog. */
export function exportService({ store }: Catalog): ServiceImpl<typeof ExportService> {
  return {
    async exportIstio(request) {
      const { parent } = validated(ExportIstioRequestSchema, request);
      const { state } = store;
      return {
        wasmPlugins: await inTurns(exportIstio(state, parent)),
        revision: state.revision,
      };
    },
  };
}

/** Runs work that yields to its end, and lets others run in between. */
async function inTurns<Result>(work: Generator<void, Result>): Promise<Result> {
  let turnEnds = performance.now() + turnMs;
  for (;;) {
    const step = work.next();
    if (step.done === true) {
      return step.value;
    }
    if (performance.now() >= turnEnds) {
      await setImmediate();
      turnEnds = performance.now() + turnMs;
    }
  }
}
