import { ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import {
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
  type WatchService,
} from "../../gen/wasmext/v1/watch_service_pb.ts";
import { validated } from "../catalog/validate.ts";
import { createWatchReader, type WatchReader } from "../catalog/watch/reader.ts";
import { watch } from "../catalog/watch/watch.ts";
import type { Catalog } from "./catalog.ts";
import { encodedMessage, isBinary } from "./encoded-message.ts";
import { rpcError } from "./errors.ts";
import { toRpcError } from "./to-rpc-error.ts";

/** The service `wasmext.v1.WatchService` over a catalog. */
export function watchService(catalog: Catalog): ServiceImpl<typeof WatchService> {
  return {
    watch(request, context) {
      const start = validated(WatchRequestSchema, request);
      return responses(catalog, createWatchReader(catalog.store, start), context);
    },
  };
}

async function* responses(
  { store, bookmarkIntervalMs }: Catalog,
  reader: WatchReader,
  context: HandlerContext,
): AsyncGenerator<WatchResponse> {
  const { signal } = context;
  const inBinary = isBinary(context);
  for await (const message of watch(store, reader, { signal, bookmarkIntervalMs })) {
    yield inBinary ? encodedMessage(WatchResponseSchema, message.bytes) : message.response;
  }
  throw aborted(signal, reader.nextRevision);
}

/** The error of a watch that was aborted, with the revision from which it can resume. */
function aborted({ reason: cause }: AbortSignal, nextRevision: bigint): ConnectError {
  const error = toRpcError(ConnectError.from(cause));
  const [info] = error.findDetails(ErrorInfoSchema);
  return rpcError(error.code, info?.reason ?? "ABORTED", error.rawMessage, {
    ...info?.metadata,
    next_revision: String(nextRevision),
  });
}
