import { setImmediate } from "node:timers/promises";
import { ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  ExportIstioRequestSchema,
  type ExportService,
} from "../../gen/wasmext/v1/export_service_pb.ts";
import { validated } from "../catalog/validate.ts";
import { exportIstio } from "../export/istio/export-istio.ts";
import type { Catalog } from "./catalog.ts";

/** How long an export works, between two plugins, before it lets others run, in ms. */
const turnMs = 10;

/** The service `wasmext.v1.ExportService` over a catalog. */
export function exportService({ store }: Catalog): ServiceImpl<typeof ExportService> {
  return {
    async exportIstio(request, { signal }) {
      const { parent } = validated(ExportIstioRequestSchema, request);
      const { state } = store;
      return {
        wasmPlugins: await inTurns(exportIstio(state, parent), signal),
        revision: state.revision,
      };
    },
  };
}

/** Runs work that yields to its end, and lets others run in between; ends with a signal's reason. */
async function inTurns<Result>(
  work: Generator<void, Result>,
  signal: AbortSignal,
): Promise<Result> {
  let turnEnds = performance.now() + turnMs;
  for (;;) {
    const step = work.next();
    if (step.done === true) {
      return step.value;
    }
    if (performance.now() >= turnEnds) {
      await setImmediate();
      if (signal.aborted) {
        throw ConnectError.from(signal.reason);
      }
      turnEnds = performance.now() + turnMs;
    }
  }
}
